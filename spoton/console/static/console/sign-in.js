// The page that asks who you are.

import { fill, h, icon } from "./dom.js";
import { notice } from "./notices.js";

const REASONS = {
  expired: ["warn", "Your session has ended. Sign in again to go on where you were."],
  signed_out: ["info", "You are signed out."],
};

/** @param reason why the user is here again, or undefined */
export function signInPage({ session, onSignedIn, reason, themeButton }) {
  const { logo, hero } = document.body.dataset;
  const messages = h("div", { class: "sign-in-messages" });
  if (REASONS[reason]) fill(messages, notice(...REASONS[reason]));
  const username = h("input", { class: "input", id: "username", name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", required: true });
  const password = h("input", { class: "input", id: "password", name: "password", type: "password", autocomplete: "current-password", required: true });
  const button = h("button", { class: "button primary large", type: "submit" }, "Sign in");

  async function submit(event) {
    event.preventDefault();
    for (const input of [username, password]) input.removeAttribute("aria-invalid");
    const missing = [username, password].find((input) => !input.value);
    if (missing) {
      missing.setAttribute("aria-invalid", "true");
      fill(messages, notice("bad", `Enter your ${missing === username ? "user name" : "password"}.`));
      missing.focus();
      return;
    }
    button.disabled = true;
    fill(button, h("span", { class: "busy" }), "Signing in");
    try {
      await session.signIn(username.value.trim(), password.value);
      onSignedIn();
    } catch (error) {
      fill(messages, notice("bad", error.message));
      if (error.status === 401) {
        for (const input of [username, password]) input.setAttribute("aria-invalid", "true");
        password.value = "";
      }
      password.focus();
    } finally {
      button.disabled = false;
      fill(button, "Sign in");
    }
  }

  const element = h("main", { id: "main", class: "sign-in", tabindex: "-1" },
    h("section", { class: "sign-in-side" },
      h("div", { class: "sign-in-top" },
        h("div", { class: "brand" }, h("img", { src: logo, alt: "", width: 34, height: 34 }), h("span", {}, "SpotOn")),
        themeButton()),
      h("form", { class: "sign-in-form", novalidate: true, onsubmit: submit },
        h("div", {}, h("h1", {}, "Sign in"), h("p", { class: "soft" }, "Follow people across all your cameras, on one map.")),
        messages,
        h("div", { class: "field" }, h("label", { for: "username" }, "User name"), username),
        h("div", { class: "field" }, h("label", { for: "password" }, "Password"), password),
        button),
      h("p", { class: "sign-in-foot faint small-text" }, icon("info", "small"), "No account or forgotten password? Your administrator sets them.")),
    h("div", { class: "sign-in-hero" }, h("img", { src: hero, alt: "" })));
  return { element, title: "Sign in", focus: () => username.focus(), destroy() {} };
}
