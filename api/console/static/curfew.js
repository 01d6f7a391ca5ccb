// Everything works without this file. It opens what would be a page of its own as a dialog, keeps the news of a sign-out
// fresh, and lets "/" go to the search box.
"use strict";

document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !find) return;
  event.preventDefault();
  find.focus();
  find.select();
});

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const opener = event.target.closest("[data-dialog]");
  if (opener && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!(dialog instanceof HTMLDialogElement)) return;
    event.preventDefault();
    dialog.showModal();
    return;
  }
  const cancel = event.target.closest("dialog [data-cancel]");
  if (cancel) {
    event.preventDefault();
    cancel.closest("dialog").close();
  }
  const open = document.querySelector("details.who[open]");
  if (open && !open.contains(event.target)) open.removeAttribute("open");
});

document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.who[open]");
  if (event.key === "Escape" && open) {
    open.removeAttribute("open");
    open.querySelector("summary").focus();
  }
});

// A form is sent once, however often its button is pressed. Going back makes it new.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The news of a sign-out: asked for again until every place has confirmed. It is written as text, never as markup.
const news = document.querySelector("[data-news]");
if (news) {
  const words = document.getElementById("news-words");
  const list = document.getElementById("news-list");
  let wait = 1500;
  const look = async () => {
    try {
      const answer = await fetch(news.dataset.news, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const now = await answer.json();
      if (words.textContent !== now.sentence) words.textContent = now.sentence;
      for (const [at, line] of now.lines.entries()) {
        const item = list.children[at];
        if (!item) continue;
        item.className = line.state;
        const text = item.querySelector("span");
        if (text.textContent !== line.text) text.textContent = line.text;
      }
      if (!now.open) {
        window.location.reload();
        return;
      }
      wait = Math.min(wait * 1.3, 10000);
    } catch {
      wait = Math.min(wait * 2, 30000);
    }
    window.setTimeout(look, wait);
  };
  window.setTimeout(look, wait);
}
