// The text of a definition: the numbers of its lines, and the way from a fault to its line.

const text = document.querySelector("[data-editor]");
const lines = document.querySelector("[data-editor-lines]");

function showLines() {
  const preview = document.getElementById("workflow-preview");
  const faulty = new Set([...preview.querySelectorAll("[data-line]")].map((place) => Number(place.dataset.line)));
  const numbers = text.value.split("\n").map((_, place) => {
    const number = document.createElement("span");
    number.textContent = `${place + 1}\n`;
    if (faulty.has(place + 1)) number.className = "is-faulty";
    return number;
  });
  lines.replaceChildren(...numbers);
  lines.scrollTop = text.scrollTop;
}

function goToLine(line) {
  const before = text.value.split("\n").slice(0, line - 1);
  const start = before.reduce((sum, each) => sum + each.length + 1, 0);
  const end = text.value.indexOf("\n", start);
  text.focus();
  text.setSelectionRange(start, end < 0 ? text.value.length : end);
  const height = text.scrollHeight / text.value.split("\n").length;
  text.scrollTop = Math.max(0, (line - 4) * height);
  text.scrollLeft = 0;
}

text.addEventListener("input", showLines);
text.addEventListener("scroll", () => {
  lines.scrollTop = text.scrollTop;
});
document.addEventListener("htmx:afterSwap", showLines);
document.addEventListener("click", (event) => {
  const place = event.target.closest("button[data-line]");
  if (place !== null) goToLine(Number(place.dataset.line));
});
showLines();
