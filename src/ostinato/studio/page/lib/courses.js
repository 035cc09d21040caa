// The list of runs and the courses of some of them, as they are written.
import { useEffect, useMemo, useRef, useState } from "./ui.js";
import { follow } from "./api.js";

const COUNTED = new Set(["step", "epoch", "seconds", "best", "advice", "tokens", "examples", "windows"]);

/**
 * { folder, runs, courses, trainings, lost }: `runs` is null before the first answer; `courses` has the lines of each
 * name, `trainings` how those stand that were started here.
 */
export function useCourses(names) {
  const [list, setList] = useState({ folder: "", runs: null });
  const [courses, setCourses] = useState({});
  const [trainings, setTrainings] = useState({});
  const [lost, setLost] = useState(false);
  const key = names.map(encodeURIComponent).join("&run=");
  useEffect(() => {
    setCourses((before) => Object.fromEntries(names.filter((name) => name in before).map((name) => [name, before[name]])));
    return follow(`/studio/watch${key ? `?run=${key}` : ""}`, {
      open: () => setLost(false),
      lost: () => setLost(true),
      runs: setList,
      training: ({ name, ...state }) => setTrainings((before) => ({ ...before, [name]: state })),
      course: ({ name, lines, afresh }) =>
        setCourses((before) => ({ ...before, [name]: afresh ? lines : [...(before[name] ?? []), ...lines] })),
    });
  }, [key]);
  return { ...list, courses, trainings, lost };
}

/** Names of what the lines measure, training and validation under one name: loss, perplexity, lr, ... */
export function figuresOf(courses) {
  const found = new Set();
  for (const lines of Object.values(courses)) {
    for (const line of [...lines.slice(0, 3), ...lines.slice(-3)]) {
      for (const name of Object.keys(line)) if (!COUNTED.has(name)) found.add(name.replace(/^valid_/, ""));
    }
  }
  const order = ["loss", "perplexity", "accuracy"];
  const rank = (name) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return [...found].sort((a, b) => rank(a) - rank(b));
}

/** Points [x, y] of a figure over an abscissa (step, seconds, tokens, ...). */
export function points(lines, figure, abscissa) {
  return lines.filter((line) => line[figure] !== undefined && line[abscissa] !== undefined)
    .map((line) => [line[abscissa], line[figure]]);
}

/** Several lists of points as uPlot wants them: all abscissae once, and null where a list has none of them. */
export function aligned(lists) {
  const xs = [...new Set(lists.flatMap((list) => list.map(([x]) => x)))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, n) => [x, n]));
  const columns = lists.map((list) => {
    const column = new Array(xs.length).fill(null);
    for (const [x, y] of list) column[place.get(x)] = y;
    return column;
  });
  return [xs, ...columns];
}

/** Words for screen readers: where each run stands in a figure. */
export function useSpoken(courses, figure) {
  const last = useRef("");
  return useMemo(() => {
    const parts = Object.entries(courses).map(([name, lines]) => {
      const at = lines.findLast((line) => line[`valid_${figure}`] !== undefined || line[figure] !== undefined);
      return at ? `${name}: ${figure} ${(at[`valid_${figure}`] ?? at[figure])?.toPrecision(4)}` : name;
    });
    last.current = parts.join("; ");
    return last.current;
  }, [courses, figure]);
}
