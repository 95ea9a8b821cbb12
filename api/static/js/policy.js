// What is being typed as JSON is not replaced by what comes of a field that was left just before.

document.addEventListener("htmx:beforeSwap", (event) => {
  const json = document.getElementById("json");
  const isTyped = json === document.activeElement && json.value !== json.defaultValue;
  if (event.detail.target.id === "policy-json" && isTyped) event.detail.shouldSwap = false;
});
