// One environment before a run: its plan and cameras beside the start panel.

import { fill, h, icon } from "./dom.js";
import { clock, count } from "./format.js";
import { MapView } from "./map-view.js";
import { environmentOf, modeOf, rangesOf } from "./model.js";
import { announce, failure, notice } from "./notices.js";
import { Selection } from "./selection.js";
import { startPanel } from "./start-panel.js";

export function setupPage({ api, environmentId, onTitle, go }) {
  const body = h("div", { class: "setup", "aria-busy": "true" });
  const heading = h("h1", { tabindex: "-1" }, "…");
  const description = h("p", { class: "soft" });
  const running = h("div", { class: "setup-running" });
  const element = h("main", { id: "main", class: "page wide-page", tabindex: "-1" },
    h("header", { class: "page-head" }, heading, description), running, body);
  let map = null;
  let gone = false;

  async function load() {
    fill(body, h("div", { class: "skeleton setup-skeleton" }), h("div", { class: "skeleton setup-skeleton" }));
    try {
      const [details, ranges, tasks] = await Promise.all([
        api.environmentsRetrieve({ env_id: environmentId }), api.environmentsDateRanges({ env_id: environmentId }), api.processingTasksActive(),
      ]);
      if (!gone) show(environmentOf(details), rangesOf(ranges), tasks);
    } catch (error) {
      if (gone) return;
      const known = error.status !== 404 && error.status !== 403;
      fill(body, failure(error, known ? load : null));
      fill(heading, known ? "Environment" : "Not found");
    }
    body.setAttribute("aria-busy", "false");
  }

  function show(environment, ranges, tasks) {
    fill(heading, environment.name);
    fill(description, environment.description);
    onTitle(environment.name);
    const task = tasks.find((other) => other.environment_id === environment.id);
    if (task) fill(running, runningNotice(task, environment));
    map = new MapView({ environment, selection: new Selection() });
    if (environment.planUrl) map.loadPlan(api, environment.planUrl);
    const panel = environment.mayControl ? startPanel({ environment, ranges, onStart: start }) : viewerPanel(task);
    fill(body,
      h("section", { class: "panel setup-map", "aria-label": "Plan" }, map.element),
      panel);
  }

  async function start(request) {
    const task = await api.processingTasksStart({ environment_id: environmentId, ...request });
    announce("Run started");
    go(`#/t/${task.task_id}`);
  }

  load();
  return {
    element,
    title: "Environment",
    destroy() {
      gone = true;
      map?.destroy();
    },
  };
}

function runningNotice(task, environment) {
  const since = task.started_at ?? task.created_at;
  const when = since ? ` since ${clock(Date.parse(since), environment.timezone)}` : "";
  return notice("good", [h("strong", {}, "A run is in progress"), `${when}: ${modeOf(task).toLowerCase()}, ${count(task.cameras.length, "camera")}.`],
    h("a", { class: "button primary small", href: `#/t/${task.task_id}` }, icon("live", "small"), "Watch"));
}

function viewerPanel(task) {
  return h("section", { class: "panel start" },
    h("h2", {}, "You can watch here"),
    h("p", { class: "soft" }, task
      ? "A run is in progress; watch it with the button above."
      : "Nothing runs at the moment. Starting and stopping needs the role Operator: ask an operator to start a run, it then appears here."));
}
