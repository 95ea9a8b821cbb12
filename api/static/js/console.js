// What every page needs: theme switch, times, copy buttons, confirmation, toasts.

const ICONS = document.querySelector('meta[name="perdure-icons"]').content;

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

// Theme

function chosenTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

function showTheme() {
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosenTheme()));
  }
}

function chooseTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("perdure-theme");
    else localStorage.setItem("perdure-theme", theme);
  } catch {
    // Storage is switched off: the choice lasts until the next page.
  }
  showTheme();
}

// Times: the server writes the exact one, here it becomes "3 minutes ago" and stays true.

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const DAY_S = 86400;
const UNITS = [
  ["hour", 3600],
  ["minute", 60],
];

// Midnights between now and then: 47 hours from now is not tomorrow.
function calendarDays(instant) {
  const days = [instant, new Date()].map((each) => Date.UTC(each.getFullYear(), each.getMonth(), each.getDate()));
  return (days[0] - days[1]) / (DAY_S * 1000);
}

function relativeTime(instant) {
  const seconds = (instant.getTime() - Date.now()) / 1000;
  if (Math.abs(seconds) > 14 * DAY_S) {
    return instant.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
  }
  if (Math.abs(seconds) >= DAY_S) return relative.format(calendarDays(instant), "day");
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return "just now";
}

function showTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-relative]")) {
    const text = relativeTime(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

// Toasts

export function toast(message, tone = "info") {
  const item = document.createElement("div");
  item.className = `toast tone-${tone}`;
  item.setAttribute("role", tone === "danger" ? "alert" : "status");
  const text = document.createElement("p");
  text.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "copy";
  close.setAttribute("aria-label", "Dismiss");
  close.append(icon("x"));
  close.addEventListener("click", () => item.remove());
  item.append(text, close);
  document.getElementById("toasts").append(item);
  window.setTimeout(() => item.remove(), tone === "danger" ? 12000 : 6000);
}

// Copying

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Outside a secure context there is no clipboard interface.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("Copied to the clipboard.", "success");
}

// Confirmation: a form with `data-confirm` is sent only after the dialog is answered.

let confirmed = null;

function askFirst(form, submitter) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-title]").textContent = form.dataset.confirm;
  dialog.querySelector("[data-confirm-text]").textContent = form.dataset.confirmText ?? "";
  dialog.querySelector("[data-confirm-yes]").textContent = form.dataset.confirmYes ?? "Continue";
  dialog.returnValue = "";
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue !== "yes") return;
      confirmed = form;
      form.requestSubmit(submitter);
      confirmed = null;
    },
    { once: true },
  );
  dialog.showModal();
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.dataset.confirm && confirmed !== form) {
      event.preventDefault();
      event.stopImmediatePropagation();
      askFirst(form, event.submitter);
    }
  },
  true,
);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button === null) return;
  if (button.dataset.themeChoice) chooseTheme(button.dataset.themeChoice);
  if (button.dataset.copy) copy(button);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// Messages from the server: an HX-Trigger header, or `?notice=` rendered into the page.

document.addEventListener("toast", (event) => toast(event.detail.message, event.detail.tone));
document.addEventListener("htmx:sendError", () => toast("The server does not answer. Is it running?", "danger"));
document.addEventListener("htmx:afterSwap", (event) => showTimes(event.detail.target ?? document));
document.addEventListener("htmx:oobAfterSwap", (event) => showTimes(event.detail.target ?? document));

// The stream of an operation's events ends with the operation; the browser would take that for a broken
// connection and ask again. `after` in the address is the revision that the page shows already.

const ENDED = new Set(["completed", "failed", "cancelled", "expired"]);

window.htmx.createEventSource = (address) => {
  const source = new EventSource(address);
  const after = Number(new URL(address, window.location.href).searchParams.get("after"));
  source.addEventListener("operation", (event) => {
    const isNew = Number(event.lastEventId) > after;
    if (isNew && ENDED.has(JSON.parse(event.data).status)) source.close();
  });
  return source;
};

showTheme();
showTimes();
window.setInterval(showTimes, 20000);
for (const notice of document.querySelectorAll("[data-notice]")) {
  toast(notice.dataset.notice, notice.dataset.tone);
  const address = new URL(window.location.href);
  address.searchParams.delete("notice");
  window.history.replaceState(window.history.state, "", address);
}
