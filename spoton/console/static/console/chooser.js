// The list of environments: what there is, what has footage, what runs right now.

import { all } from "./client/index.js";
import { fill, h, icon } from "./dom.js";
import { count, day } from "./format.js";
import { environmentOf } from "./model.js";
import { failure, notice } from "./notices.js";

export function chooserPage({ api, session }) {
  const list = h("ul", { class: "cards", "aria-busy": "true" });
  const objectUrls = [];
  let gone = false;
  const element = h("main", { id: "main", class: "page", tabindex: "-1" },
    h("header", { class: "page-head" },
      h("h1", { tabindex: "-1" }, "Environments"),
      h("p", { class: "soft" }, "Choose where you want to look.")),
    list);

  async function load() {
    fill(list, ...[0, 1].map(() => h("li", { class: "skeleton card-skeleton" })));
    try {
      const [environments, tasks] = await Promise.all([all(api.environmentsList({ limit: 500 })), api.processingTasksActive()]);
      if (!gone) show(environments, tasks);
    } catch (error) {
      if (!gone) fill(list, h("li", { class: "wide" }, failure(error, load)));
    }
    list.setAttribute("aria-busy", "false");
  }

  function show(environments, tasks) {
    if (!environments.length) {
      fill(list, h("li", { class: "wide" }, notice("info",
        `${session.user?.username ?? "This user"} is not a member of any environment yet. An administrator can add you under Administration, Environments, Members.`)));
      return;
    }
    fill(list, environments.map((environment) => {
      const running = tasks.filter((task) => task.environment_id === environment.environment_id);
      const picture = h("div", { class: "card-picture" }, icon("zone"));
      loadPlan(environment.environment_id, picture);
      return card(environment, running, picture);
    }));
  }

  function card(environment, running, picture) {
    const id = encodeURIComponent(environment.environment_id);
    const last = environment.last_data_at && Date.parse(environment.last_data_at);
    return h("li", { class: "card panel", data: { environment: environment.environment_id } },
      picture,
      h("div", { class: "card-body" },
        h("div", { class: "card-title" },
          h("h2", {}, h("a", { href: `#/e/${id}` }, environment.name)),
          running.length ? h("span", { class: "tag good pulse" }, h("span", { class: "dot" }), "Running") : null),
        h("p", { class: "soft card-text" }, environment.description),
        h("ul", { class: "facts" },
          h("li", {}, icon("camera", "small"), count(environment.camera_count, "camera")),
          h("li", {}, icon("zone", "small"), count(environment.zone_count, "zone")),
          h("li", {}, icon("film", "small"), last ? `Recorded until ${day(last, environment.timezone)}` : "No recordings")),
        running.length
          ? h("a", { class: "button primary small card-watch", href: `#/t/${running[0].task_id}` }, icon("live", "small"), "Watch the run")
          : null));
  }

  async function loadPlan(id, picture) {
    try {
      const { planUrl } = environmentOf(await api.environmentsRetrieve({ env_id: id }));
      if (!planUrl) return;
      const url = URL.createObjectURL(await api.image(planUrl));
      if (gone) return URL.revokeObjectURL(url);
      objectUrls.push(url);
      fill(picture, h("img", { src: url, alt: "" }));
    } catch {
      // the card is complete without its picture
    }
  }

  load();
  return {
    element,
    title: "Environments",
    destroy() {
      gone = true;
      objectUrls.forEach((url) => URL.revokeObjectURL(url));
    },
  };
}
