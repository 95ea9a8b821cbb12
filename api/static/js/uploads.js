// Drop zone and file picker of the documents page: one request a file, three at a time, with progress.

const zone = document.getElementById("dropzone");
const picker = document.getElementById("files");
const list = document.getElementById("uploads");
const live = document.getElementById("uploads-live");
const space = document.getElementById("upload-space");
const remember = document.getElementById("upload-remember");
const template = document.getElementById("upload-template");
const csrfToken = document.querySelector('meta[name="csrf-token"]').content;
const limit = Number(zone.dataset.limit);

const AT_ONCE = 3;
const waiting = [];
let running = 0;
let accepted = 0;
let refused = 0;

function humanSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function uniqueKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sentence(request) {
  try {
    const problem = JSON.parse(request.responseText);
    return problem.detail ?? problem.title;
  } catch {
    return `The server answered ${request.status}. Try again in a moment.`;
  }
}

class Upload {
  constructor(file) {
    this.file = file;
    this.key = uniqueKey();
    this.node = template.content.firstElementChild.cloneNode(true);
    this.bar = this.node.querySelector("progress");
    this.note = this.node.querySelector(".upload-note");
    this.node.querySelector(".upload-name").textContent = file.name;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.again = this.node.querySelector("[data-again]");
    this.dismiss = this.node.querySelector("[data-dismiss]");
    this.dismiss.setAttribute("aria-label", `Remove ${file.name} from the list`);
    this.again.addEventListener("click", () => this.enqueue());
    this.dismiss.addEventListener("click", () => this.remove());
    list.append(this.node);
  }

  enqueue() {
    this.node.classList.remove("is-failed");
    this.again.hidden = true;
    this.bar.hidden = false;
    this.bar.value = 0;
    if (this.file.size > limit) {
      this.fail(`${humanSize(this.file.size)} is more than the limit of ${humanSize(limit)}.`, false);
      return;
    }
    this.note.textContent = `${humanSize(this.file.size)} · waiting`;
    waiting.push(this);
    next();
  }

  send() {
    running += 1;
    const body = new FormData();
    // The fields go first: the server reads the file as a stream and needs them before it.
    body.append("space", space.value.trim() || "default");
    body.append("source_type", "upload");
    // Left out, it is as the space is set.
    if (remember.checked) body.append("remember", "true");
    body.append("file", this.file, this.file.name);
    const request = new XMLHttpRequest();
    this.request = request;
    request.upload.addEventListener("progress", (event) => this.show(event.loaded, event.total));
    request.addEventListener("load", () => this.done(request));
    request.addEventListener("error", () => this.fail("The connection broke. Check that the server runs, then try again.", true));
    request.addEventListener("loadend", () => {
      running -= 1;
      next();
    });
    request.open("POST", "/api/v1/documents");
    request.setRequestHeader("X-CSRF-Token", csrfToken);
    // A repeated attempt at the same file is the same request: the server makes one document of both.
    request.setRequestHeader("Idempotency-Key", this.key);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  }

  show(loaded, total) {
    this.bar.value = total > 0 ? loaded / total : 1;
    const percent = Math.round(this.bar.value * 100);
    this.note.textContent = percent < 100 ? `${humanSize(this.file.size)} · ${percent} %` : "Storing";
  }

  done(request) {
    if (request.status < 200 || request.status > 299) {
      this.fail(sentence(request), request.status >= 500 || request.status === 429);
      return;
    }
    accepted += 1;
    this.bar.value = 1;
    this.note.textContent = "Accepted. Its progress is in the list below.";
    window.htmx.trigger("#document-list", "refresh");
    window.setTimeout(() => this.node.remove(), 1500);
    announce();
  }

  fail(reason, worthRepeating) {
    refused += 1;
    this.node.classList.add("is-failed");
    this.bar.hidden = true;
    this.note.textContent = reason;
    this.again.hidden = !worthRepeating;
    announce();
  }

  remove() {
    const place = waiting.indexOf(this);
    if (place >= 0) waiting.splice(place, 1);
    this.request?.abort();
    this.node.remove();
  }
}

function next() {
  while (running < AT_ONCE && waiting.length > 0) waiting.shift().send();
}

function announce() {
  const failed = refused > 0 ? `, ${refused} refused` : "";
  const rest = running + waiting.length > 1 ? `, ${running + waiting.length - 1} to go` : "";
  live.textContent = `${accepted} accepted${failed}${rest}.`;
}

function take(files) {
  const uploads = Array.from(files, (file) => new Upload(file));
  for (const upload of uploads) upload.enqueue();
}

function carriesFiles(event) {
  return event.dataTransfer !== null && Array.from(event.dataTransfer.types).includes("Files");
}

let depth = 0;
window.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  zone.classList.add("is-over");
});
window.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (depth === 0) zone.classList.remove("is-over");
});
window.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
window.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  zone.classList.remove("is-over");
  const entries = Array.from(event.dataTransfer.items, (item) => item.webkitGetAsEntry?.());
  const files = Array.from(event.dataTransfer.files).filter((_, place) => !entries[place]?.isDirectory);
  if (files.length < event.dataTransfer.files.length) {
    document.dispatchEvent(
      new CustomEvent("toast", {
        detail: { message: "Folders cannot be dropped. Choose the files in them, or send a zip to the API.", tone: "warning" },
      }),
    );
  }
  take(files);
});
document.getElementById("choose-files").addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  take(picker.files);
  picker.value = "";
});
