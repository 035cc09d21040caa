// The viewer in a notebook: what anywidget calls.
import { Viewer } from "./viewer.js";
import { wordsOf } from "./words.js";

/** Whether what stands behind an element is dark, as a notebook's theme has it. */
function isDark(place) {
  for (let one = place; one; one = one.parentElement) {
    const [r, g, b, opaque = 1] = getComputedStyle(one).backgroundColor.match(/[\d.]+/g).map(Number);
    if (opaque > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function render({ model, el }) {
  const place = document.createElement("div");
  place.className = "ostinato";
  el.append(place);
  const host = place.appendChild(document.createElement("div"));
  const shade = () => {
    const found = isDark(el) ? "dark" : "light";
    place.dataset.theme = found;
    return found;
  };
  const t = wordsOf(model.get("language") || navigator.language);
  const send = (message) => model.send(message);
  const received = (_, [view]) => viewer.receive(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  model.on("msg:custom", received);
  const viewer = new Viewer(host, { names: model.get("names"), send, t, shade, text: model.get("text") });
  return () => {
    model.off("msg:custom", received);
    viewer.destroy();
  };
}

export default { render };
