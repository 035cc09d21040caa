// Small components that several views share.
import { html, useEffect, useId, useRef, useState } from "./ui.js";
import { t } from "./i18n.js";

/** An error in the page's words, read out as it appears. */
export function Failure({ error, again }) {
  if (!error) return null;
  return html`
    <div class="failure" role="alert">
      <strong>${error.title && error.title !== error.detail ? error.title : t("error.title")}</strong>
      <p>${error.detail || error.message || String(error)}</p>
      ${again && html`<button type="button" onClick=${again}>${t("error.again")}</button>`}
    </div>
  `;
}

/** A labelled control: `children` is a function that gets the id for the control. */
export function Field({ label, help, children }) {
  const id = useId();
  const about = help ? `${id}-help` : undefined;
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${children(id, about)} ${help && html`<p class="help" id=${about}>${help}</p>`}
    </div>
  `;
}

/** What a command line would be, with a button that copies it. */
export function Command({ line, label }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const text = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line);
    } catch {
      getSelection().selectAllChildren(text.current); // not allowed: the reader copies it by hand
    }
    setCopied(true);
  };
  return html`
    <figure class="command">
      <figcaption>${label ?? t("command.same")}</figcaption>
      <div>
        <code ref=${text} tabindex="0">${line}</code>
        <button type="button" onClick=${copy}>${copied ? t("command.copied") : t("command.copy")}</button>
      </div>
      <span role="status" class="unseen">${copied ? t("command.copied") : ""}</span>
    </figure>
  `;
}

/** Says that something is being waited for, once it has taken long enough to be noticed. */
export function Waiting({ what }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return html`<p class="waiting" role="status">${shown ? (what ?? t("waiting")) : ""}</p>`;
}
