// Curves of some runs: a figure over steps, time, or what is counted.
import { html, useMemo, useState } from "../../lib/ui.js";
import { Chart, seriesColour } from "../../lib/chart.js";
import { Field } from "../../lib/parts.js";
import { aligned, figuresOf, points, useSpoken } from "../../lib/courses.js";
import { t } from "../../lib/i18n.js";
import { useTheme } from "../../lib/theme.js";

export function Curves({ names, courses }) {
  const theme = useTheme();
  const [figure, setFigure] = useState("loss");
  const [abscissa, setAbscissa] = useState("step");
  const [log, setLog] = useState(false);
  const figures = useMemo(() => figuresOf(courses), [courses]);
  const drawn = figures.includes(figure) ? figure : (figures[0] ?? "loss");
  const { data, series } = useMemo(() => curves(names, courses, drawn, abscissa), [names, courses, drawn, abscissa, theme]);
  const spoken = useSpoken(courses, drawn);
  return html`
    <section aria-label=${t("runs.curves")}>
      <div class="row choosing">
        <${Field} label=${t("runs.figure")}>
          ${(id) => html`<select id=${id} value=${drawn} onChange=${(event) => setFigure(event.target.value)}>
            ${figures.map((name) => html`<option value=${name}>${name.replaceAll("_", " ")}</option>`)}
          </select>`}
        <//>
        <${Field} label=${t("runs.over")}>
          ${(id) => html`<select id=${id} value=${abscissa} onChange=${(event) => setAbscissa(event.target.value)}>
            ${["step", "epoch", "seconds"].map((name) => html`<option value=${name}>${t(`runs.over.${name}`)}</option>`)}
          </select>`}
        <//>
        <label class="check"><input type="checkbox" checked=${log} onChange=${() => setLog(!log)} /> ${t("runs.log")}</label>
      </div>
      <${Chart}
        data=${data}
        series=${series}
        x=${t(`runs.over.${abscissa}`)}
        y=${drawn.replaceAll("_", " ")}
        log=${log}
        height=${340}
        label=${names.length ? t("runs.curves.spoken", { spoken }) : t("runs.curves.none")}
      />
      <p class="quiet">${names.length ? t("runs.curves.about") : t("runs.curves.none")}</p>
      <${Advice} names=${names} courses=${courses} />
    </section>
  `;
}

/** What was said of trainings that go wrong: a line each, which opens. */
function Advice({ names, courses }) {
  const said = names.flatMap((name) => (courses[name] ?? []).filter((line) => line.advice).map((line) => ({ name, ...line.advice })));
  return said.map(({ name, said, meaning, remedy, anchor }) => html`
    <details key=${`${name} ${anchor}`}>
      <summary>${names.length > 1 ? `${name}: ${said}` : said}</summary>
      <p>${t("runs.advice.means", { meaning })}</p>
      <p>${t("runs.advice.do", { remedy })}</p>
      <p class="quiet">docs/guides/when-training-goes-wrong.md#${anchor}</p>
    </details>
  `);
}

/** Of each run two series in one colour: training, thin, and validation, with its points. */
function curves(names, courses, figure, abscissa) {
  const lists = [];
  const series = [];
  names.forEach((name, n) => {
    const lines = courses[name] ?? [];
    const colour = seriesColour(n);
    const [trained, validated] = [points(lines, figure, abscissa), points(lines, `valid_${figure}`, abscissa)];
    if (trained.length) {
      lists.push(trained);
      series.push({ label: name, colour, width: validated.length ? 1 : 1.8, dash: validated.length ? [4, 3] : undefined });
    }
    if (validated.length) {
      lists.push(validated);
      series.push({ label: `${name}, ${t("runs.validation")}`, colour, width: 2.2, points: { show: true, size: 5 } });
    }
  });
  return { data: aligned(lists), series };
}
