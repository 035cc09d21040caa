// Requests to the server that this page came from. An answer that is no success is thrown as a Problem, whose words the
// page shows: the server says what was expected, what came, and what to do.
import { t } from "./i18n.js";

export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "" }) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail || title;
  }
}

/** GET, as JSON. */
export const get = (path, signal) => ask("GET", path, { signal });

/** POST a value as JSON; a File or Blob as it is. */
export function post(path, body, signal) {
  if (body instanceof Blob) return ask("POST", path, { body, signal });
  const headers = { "content-type": "application/json" };
  return ask("POST", path, { body: JSON.stringify(body ?? {}), headers, signal });
}

export const remove = (path, signal) => ask("DELETE", path, { signal });

async function ask(method, path, options) {
  const response = await reached(path, { method, ...options });
  if (response.status === 204) return null;
  return response.json();
}

/** The response to a request; throws a Problem where there is none, or where it is an error. */
export async function reached(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: t("error.unreached"), detail: t("error.unreached.detail") });
  }
  if (!response.ok) throw new Problem(await problemOf(response));
  return response;
}

async function problemOf(response) {
  try {
    return { status: response.status, ...(await response.json()) };
  } catch {
    return { status: response.status, title: t("error.status", { status: response.status }) };
  }
}

/**
 * Server-sent events of a GET: `handlers` by the event's name, each called with its data. Returns what ends it. The
 * browser connects again by itself; `handlers.lost` and `handlers.open` say when it has lost, or found, the server.
 */
export function follow(path, handlers) {
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    if (name === "open") source.onopen = handle;
    else if (name === "lost") source.onerror = handle;
    else source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  return () => source.close();
}

/** Server-sent events of a POST, which an EventSource cannot send: an iterator over { event, data }. */
export async function* streamed(path, body, signal) {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await reached(path, { method: "POST", body: JSON.stringify(body), headers, signal });
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of pieces(response.body)) {
    text += decoder.decode(piece, { stream: true });
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const event = eventOf(block);
      if (event) yield event;
    }
  }
}

// Safari's streams are no iterators yet.
async function* pieces(body) {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(block) {
  let event = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
