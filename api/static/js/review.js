// While the focus is among the proposed labels, their numbers choose them, and arrows go from one to the next.

const group = document.querySelector("[data-numbered]");

group?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const buttons = [...group.querySelectorAll("button")];
  const place = buttons.indexOf(document.activeElement);
  const chosen = buttons[Number(event.key) - 1];
  if (chosen) chosen.click();
  else if (event.key === "ArrowDown" || event.key === "ArrowRight") buttons[(place + 1) % buttons.length]?.focus();
  else if (event.key === "ArrowUp" || event.key === "ArrowLeft") buttons.at(place - 1)?.focus();
  else return;
  event.preventDefault();
});
