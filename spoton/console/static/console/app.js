// Which page is shown, and the frame around it. Addresses: #/ environments, #/e/{id} setup, #/t/{id} a run.

import { chooserPage } from "./chooser.js";
import { Api, Session } from "./client/index.js";
import { fill, h, icon } from "./dom.js";
import { monitorPage } from "./monitor.js";
import { announce } from "./notices.js";
import { setupPage } from "./setup.js";
import { signInPage } from "./sign-in.js";

const app = document.getElementById("app");
const session = new Session();
const api = new Api(session);
let page = null;
let signedOutBecause;

function themeButton() {
  const button = h("button", { class: "icon-button", type: "button", onclick: () => window.toggleTheme() });
  const update = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    const label = dark ? "Use the light theme" : "Use the dark theme";
    button.setAttribute("aria-label", label);
    button.title = label;
    fill(button, icon(dark ? "sun" : "moon"));
  };
  addEventListener("themechange", update);
  update();
  return button;
}

const go = (hash) => (location.hash === hash ? route() : (location.hash = hash));

/** Right after signing in, whoever has just one run to look at is taken there. */
async function afterSignIn() {
  signedOutBecause = undefined;
  if (/^#\/[et]\//.test(location.hash)) return route();
  try {
    const tasks = await api.processingTasksActive();
    if (tasks.length === 1) return go(`#/t/${tasks[0].task_id}`);
  } catch {
    // the chooser will show what is wrong
  }
  go("#/");
  return null;
}

function route() {
  if (!session.signedIn) {
    return show(signInPage({ session, onSignedIn: afterSignIn, reason: signedOutBecause, themeButton }), null);
  }
  const [, kind, id] = location.hash.match(/^#\/(e|t)\/(.+)$/) ?? [];
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Where you are" });
  const onTitle = (name, environmentId) => {
    document.title = `${name} · SpotOn`;
    const link = environmentId ? h("a", { href: `#/e/${encodeURIComponent(environmentId)}` }, name) : h("span", { "aria-current": "page" }, name);
    fill(crumbs, h("a", { href: "#/" }, "Environments"), icon("next", "small"), link);
  };
  const common = { api, session, onTitle, go };
  if (kind === "e") return show(setupPage({ ...common, environmentId: decodeURIComponent(id) }), crumbs);
  if (kind === "t") return show(monitorPage({ ...common, taskId: decodeURIComponent(id) }), crumbs);
  return show(chooserPage(common), crumbs);
}

function show(next, crumbs) {
  page?.destroy();
  page = next;
  document.title = `${next.title} · SpotOn`;
  app.className = next.element.classList.contains("monitor-page") ? "fixed-height" : "";
  fill(app, crumbs && header(crumbs), next.element);
  if (next.focus) next.focus();
  else next.element.focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(next.title);
}

function header(crumbs) {
  const { user } = session;
  return h("header", { class: "top" },
    h("a", { class: "brand", href: "#/", "aria-label": "SpotOn, environments" }, h("img", { src: document.body.dataset.logo, alt: "", width: 26, height: 26 }), h("span", {}, "SpotOn")),
    crumbs,
    h("div", { class: "top-end" },
      h("span", { class: "who" }, h("span", { class: "who-name" }, user?.username ?? ""), user?.role ? h("span", { class: "tag" }, capital(user.role)) : null),
      themeButton(),
      h("button", { class: "icon-button", type: "button", "aria-label": "Sign out", title: "Sign out", onclick: () => session.signOut() }, icon("out"))));
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

session.addEventListener("signedout", ({ detail }) => {
  signedOutBecause = detail.reason;
  if (detail.reason === "signed_out") history.replaceState(null, "", location.pathname);
  route();
});
addEventListener("hashchange", route);
document.querySelector(".skip-link").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the address of the page
  document.getElementById("main").focus();
});
route();
