// A label, or numbers, for a sequence of numbers; and what each step moved: how the answer changes where it is missing.
import uPlot from "uplot";
import { html, useMemo } from "../../lib/ui.js";
import { Command } from "../../lib/parts.js";
import { Chart, seriesColour } from "../../lib/chart.js";
import { number, t } from "../../lib/i18n.js";
import { colour, useTheme } from "../../lib/theme.js";
import { useAsked } from "./asked.js";
import { useExamples } from "./examples.js";
import { Answer, useFigure } from "./figures.js";
import { quoted } from "./shell.js";

export function Sequence({ path, about }) {
  const { text, set, entry, failure, data, come } = useAsked(`${path}/sequence`, about.example, t("try.numbers"), t("try.numbers.help"), {
    onPaste: (event) => {
      const file = fileOf(event.clipboardData.getData("text"));
      if (!file) return;
      event.preventDefault();
      examples.take(file);
    },
  });
  const examples = useExamples({ path, begin: true, choose: set, text });
  return html`
    <div class="card numbers" ...${examples.dropped}>${examples.field}<div class="entry">${entry}</div></div>
    ${failure}
    ${data && html`
      <${Answer} data=${data} task=${about.task} there=${examples.there} />
      <${Drawn} data=${data} />
    `}
    ${come && html`<${Command} line=${`ostinato predict ${quoted(about.run)} ${t("try.table.word")}`} />`}
  `;
}

/** The sequence, and below it, step by step, what each moved. */
function Drawn({ data }) {
  const theme = useTheme();
  const { figure, field } = useFigure(data);
  const steps = useMemo(() => data.values[0].map((_, step) => step + 1), [data]);
  const series = useMemo(() => data.channels.map((label, n) => ({ label, colour: seriesColour(n), points: pointsOf(steps) })), [data, theme]);
  const values = useMemo(() => [steps, ...data.values], [data]);
  const moved = useMemo(() => movesOf(data, figure, steps), [data, figure]);
  const bars = useMemo(() => [["up", "--good"], ["down", "--bad"]].map(([way, shade]) => ({
    label: t(`try.moved.${way}`), colour: colour(shade), fill: colour(shade), width: 0, paths: uPlot.paths.bars({ size: [1, 60] }),
  })), [data, theme]);
  return html`
    <section class="card" aria-labelledby="moved-steps">
      <h2 id="moved-steps" class="first">${t("try.sequence")}</h2>
      <${Chart} data=${values} series=${series} height=${240} x=${t("try.moved.step")} label=${t("try.sequence.spoken", { steps: steps.length, channels: data.channels.length })} />
      <h3>${t("try.moved.steps")}</h3>
      ${field}
      <${Chart} data=${moved} series=${bars} height=${190} x=${t("try.moved.step")} label=${spoken(data, figure)} />
      <p class="quiet">${t("try.moved.steps.about", { figure })}</p>
    </section>
  `;
}

const pointsOf = (steps) => ({ show: steps.length < 2 });

/** What each step moved the figure by, as steps that raise it and steps that lower it. */
function movesOf({ parts }, figure, steps) {
  const up = new Array(steps.length).fill(null);
  const down = new Array(steps.length).fill(null);
  for (const { begin, end, moved } of parts) {
    const by = moved[figure] ?? 0;
    (by < 0 ? down : up).fill(by, begin, end);
  }
  return [steps, up, down];
}

function spoken({ parts }, figure) {
  const most = parts.reduce((one, other) => (Math.abs(other.moved[figure]) > Math.abs(one.moved[figure]) ? other : one));
  return t("try.moved.spoken", { figure, begin: most.begin + 1, end: most.end, by: number(most.moved[figure], 3) });
}

/** What was pasted as a file, where it is one rather than lines of numbers: of .ts, or a table with names of columns. */
function fileOf(text) {
  const [first = ""] = text.trimStart().split("\n", 1);
  if (/^@data\s*$/im.test(text)) return new File([text], "pasted.ts");
  if (/^[-+.\d][^:\n]*:/.test(first)) return new File([`@data\n${text}`], "pasted.ts");
  if (/[\p{L}_]/u.test(first.replace(/nan|\de[-+]?\d/giu, ""))) return new File([text], first.includes("\t") ? "pasted.tsv" : "pasted.csv");
  return null;
}
