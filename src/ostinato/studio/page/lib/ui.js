// What views are written with: preact's hooks, htm's templates in place of JSX, and what goes with every view.
import { h, render } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import htm from "htm";

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };

export const html = htm.bind(h);

/** Draw a template into an element, in place of what stands there; with `null`, end what was drawn. */
export function mount(template, element) {
  if (template !== null) element.replaceChildren();
  render(template, element);
}

/**
 * What an asynchronous call gives: { data, error, waiting, again }. While it is asked again the earlier data stay, so that
 * nothing jumps. The call gets an AbortSignal, which fires when its answer is of no use any more.
 */
export function useAnswer(call, dependencies) {
  const [state, setState] = useState({ data: null, error: null, waiting: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, error: null, waiting: true }));
    call(stop.signal).then(
      (data) => stop.signal.aborted || setState({ data, error: null, waiting: false }),
      (error) => stop.signal.aborted || setState((before) => ({ ...before, error, waiting: false })),
    );
    return () => stop.abort();
  }, [...dependencies, turn]);
  return { ...state, again: useCallback(() => setTurn((count) => count + 1), []) };
}

/** A value that follows another at once, but not again within some milliseconds: for what is costly to follow. */
export function usePaced(value, milliseconds) {
  const [paced, setPaced] = useState(value);
  const last = useRef(-Infinity);
  useEffect(() => {
    const follow = () => {
      last.current = performance.now();
      setPaced(value);
    };
    const timer = setTimeout(follow, Math.max(0, last.current + milliseconds - performance.now()));
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return paced;
}

/** A value that follows another once it has stood still for some milliseconds: for what is typed. */
export function useSettled(value, milliseconds = 250) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
