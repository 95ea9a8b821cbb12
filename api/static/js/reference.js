// Starts Swagger UI. Requests tried out by someone who is logged in carry the CSRF token of the session.

const token = document.querySelector('meta[name="csrf-token"]').content;
const root = document.documentElement;
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
  root.classList.toggle("dark-mode", dark);
}

prefersDark.addEventListener("change", followTheme);
new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-theme"] });
followTheme();

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  presets: [window.SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    const isOurs = new URL(request.url, window.location.href).origin === window.location.origin;
    const isSafe = ["GET", "HEAD"].includes((request.method ?? "GET").toUpperCase());
    if (token && isOurs && !isSafe) request.headers["X-CSRF-Token"] = token;
    return request;
  },
});
