// While the focus is among the decisions, their numbers choose them; Ctrl + Enter decides from any field.

const form = document.getElementById("decide");

form?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.type !== "radio") return;
  const choices = [...form.querySelectorAll("input[name=decision]")];
  const chosen = choices[Number(event.key) - 1];
  if (!chosen) return;
  chosen.checked = true;
  chosen.focus();
  event.preventDefault();
});
