// Evaluated in a page: lists what is wrong with what it shows.
async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const visible = (element) => element.checkVisibility() && !element.closest("[aria-hidden=true]");

  const parse = (colour) => {
    const match = colour.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    return match && { rgb: match.slice(1, 4).map(Number), alpha: match[4] === undefined ? 1 : Number(match[4]) };
  };

  const luminance = (rgb) => {
    const linear = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };

  const behind = (element) => {
    for (let place = element; place; place = place.parentElement) {
      const colour = parse(getComputedStyle(place).backgroundColor);
      if (colour === null || colour.alpha === 1) return colour?.rgb;
    }
    return [255, 255, 255];
  };

  // Contrast of every visible text against the colour behind it (WCAG 2.2, 1.4.3).
  const contrast = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    const words = node.textContent.trim().slice(0, 40);
    if (!words || !element.checkVisibility() || element.closest(".visually-hidden, .skip-link, option")) continue;
    const style = getComputedStyle(element);
    const text = parse(style.color)?.rgb;
    const back = behind(element);
    if (!text || !back) {
      contrast.push([words, style.color, "is no colour that this check can read"]);
      continue;
    }
    const [dark, light] = [luminance(text), luminance(back)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) contrast.push([words, ratio.toFixed(2)]);
  }

  // What sticks out to the right of the window.
  const overflow = [];
  if (document.documentElement.scrollWidth > window.innerWidth) {
    for (const element of document.querySelectorAll("body *")) {
      const sticksOut = element.getBoundingClientRect().right > window.innerWidth + 0.5;
      if (sticksOut && getComputedStyle(element).position !== "fixed") {
        overflow.push(`${element.tagName}.${element.getAttribute("class")}`);
      }
    }
  }

  // What can be operated but a screen reader could not name.
  const nameless = [];
  const operable = "a[href], button, input:not([type=hidden]), select, progress, summary";
  for (const element of document.querySelectorAll(operable)) {
    const labels = [...(element.labels ?? [])].map((label) => label.textContent.trim()).join("");
    const name = element.getAttribute("aria-label") || element.textContent.trim() || labels;
    if (visible(element) && !name) nameless.push(element.outerHTML.slice(0, 120));
  }

  // Identifiers that stand twice, or that are referred to and do not stand at all.
  const identifiers = [];
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) identifiers.push(`twice: ${id}`);
  for (const attribute of ["aria-describedby", "aria-labelledby", "for", "list"]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(" ").filter(Boolean)) {
        if (!ids.includes(id)) identifiers.push(`missing: ${id}`);
      }
    }
  }

  const headings = document.querySelectorAll("h1").length === 1 ? [] : ["there is not exactly one h1"];
  const found = { contrast, overflow, nameless, identifiers, headings };
  return Object.fromEntries(Object.entries(found).filter(([, places]) => places.length > 0));
};
