// The next version of a document, out of a file: a document without an id of its caller's gets its own as one.

const button = document.getElementById("new-version");
const picker = document.getElementById("new-version-file");
const { document: documentId, external, space } = button.dataset;
const csrf = { "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content };

async function sent(path, options) {
  const answer = await fetch(path, { ...options, headers: { ...csrf, ...options.headers } });
  if (answer.ok) return;
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail ?? `The server answered ${answer.status}. Try again in a moment.`);
}

async function upload(file) {
  if (!external) {
    await sent(`/api/v1/documents/${documentId}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ external_id: documentId }),
    });
  }
  const body = new FormData();
  // The fields go first: the server reads the file as a stream and needs them before it.
  body.append("space", space);
  body.append("external_id", external || documentId);
  body.append("source_type", "upload");
  body.append("file", file, file.name);
  await sent("/api/v1/documents", { method: "POST", body });
}

button.addEventListener("click", () => picker.click());
picker.addEventListener("change", async () => {
  if (picker.files.length === 0) return;
  button.disabled = true;
  try {
    await upload(picker.files[0]);
    window.location.reload();
  } catch (error) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { message: error.message, tone: "danger" } }));
    button.disabled = false;
    picker.value = "";
  }
});
