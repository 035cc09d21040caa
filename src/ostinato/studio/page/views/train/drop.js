// Where files are dropped, or chosen; and how they come to the server.
import { html, useId, useState } from "../../lib/ui.js";
import { Problem } from "../../lib/api.js";
import { count, t } from "../../lib/i18n.js";

export function DropZone({ take, busy, files }) {
  const id = useId();
  const [over, setOver] = useState(false);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  };
  const hover = (event) => {
    event.preventDefault();
    setOver(true);
  };
  return html`
    <div class=${`drop${over ? " over" : ""}${files.length ? " small" : ""}`} onDragOver=${hover} onDragEnter=${hover} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <label for=${id}>
        ${files.length ? html`<strong>${files.map((file) => file.name).join(", ")}</strong>` : html`<strong>${t("train.drop")}</strong>`}
        <span class="help">${files.length ? t("train.drop.another") : t("train.drop.kinds")}</span>
      </label>
      <input id=${id} type="file" multiple onChange=${(event) => event.target.files.length && take(event.target.files)} />
      <div role="status">${busy !== null && html`<progress max="1" value=${busy}>${Math.round(100 * busy)} %</progress> ${t("train.sending", { n: Math.round(100 * busy) })}`}</div>
      ${files.length > 0 && html`<span class="quiet">${t("train.bytes", { n: count(files.reduce((sum, file) => sum + file.bytes, 0)) })}</span>`}
    </div>
  `;
}

/** Send a file; fetch does not say how far it is, so this is an XMLHttpRequest. */
export function uploaded(file, progress = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/studio/uploads?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      let said = {};
      try {
        said = JSON.parse(request.responseText);
      } catch {
        // no JSON: the status says it
      }
      if (request.status < 300) resolve(said);
      else reject(new Problem({ status: request.status, ...said }));
    };
    request.onerror = () => reject(new Problem({ title: t("error.unreached"), detail: t("error.unreached.detail") }));
    request.send(file);
  });
}
