// The console's own script: what changes shows by itself, keys move through lists, filters act when chosen.
// Without it every page and form works, by loading anew.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const { stream, lost } = document.body.dataset;
  let { stamp } = document.body.dataset;

  // What is typed or chosen stays: a form that was touched is put in the place of its fresh twin.
  const value = (field) => (field.type === "checkbox" ? field.checked !== field.defaultChecked
    : field.tagName === "SELECT" ? all("option", field).some((option) => option.selected !== option.defaultSelected)
      : field.type !== "hidden" && field.value !== field.defaultValue);
  const touched = (form) => form.contains(document.activeElement) || all("input, textarea, select", form).some(value);

  function keep(old, fresh) {
    for (const form of all("form", old).filter(touched)) {
      const twin = all("form", fresh).find((each) => each.getAttribute("action") === form.getAttribute("action"));
      if (!twin) return false;
      twin.replaceWith(form);
    }
    const open = all("details[open] > summary", old).map((each) => each.textContent);
    for (const each of all("details > summary", fresh)) if (open.includes(each.textContent)) each.parentElement.open = true;
    const chosen = all("input[name=id]:checked", old).map((each) => each.value);
    for (const each of all("input[name=id]", fresh)) if (chosen.includes(each.value)) each.checked = true;
    return true;
  }

  function renew(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
    const link = focused && focused.matches("a[href]") ? focused.getAttribute("href") : null;
    if (!keep(old, fresh)) return;
    old.replaceChildren(...fresh.childNodes);
    const again = link ? all("a[href]", old).find((each) => each.getAttribute("href") === link) : focused;
    if (again && again.isConnected) {
      again.focus({ preventScroll: true });
      if (place && place[0] !== null) again.setSelectionRange(...place);
    }
  }

  // A look at the same page anew, at most once a second, and not while the page is hidden.
  const PAUSE = 1000;
  let wanted = null, looking = false, looked = Date.now() - PAUSE, composing = false, leaving = false;
  document.addEventListener("compositionstart", () => { composing = true; });
  document.addEventListener("compositionend", () => { composing = false; });

  // A form that was sent leads on by itself: to sign out, say, which ends what this page is read by.
  document.addEventListener("submit", () => { leaving = true; });

  async function look() {
    if (looking || wanted === null || wanted === stamp || document.hidden || composing) return;
    const wait = PAUSE - (Date.now() - looked);
    if (wait > 0) { setTimeout(look, wait); return; }
    looking = true;
    const now = wanted;
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect") {
        if (!leaving) location.reload();
        return;
      }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const fresh of all("[data-region]", page)) {
        const old = document.getElementById(fresh.id);
        if (old) renew(old, fresh);
      }
      document.title = page.title;
      stamp = now;
      document.dispatchEvent(new Event("tocsin:fresh"));
    } catch { /* the stream says when the connection is lost */ } finally {
      looking = false;
      looked = Date.now();
      if (wanted !== stamp) setTimeout(look, PAUSE);
    }
  }

  function tellLost(is) {
    const note = one(".note.lost");
    if (!is && note) note.remove();
    if (!is || note) return;
    const made = document.createElement("p");
    made.className = "note lost";
    made.setAttribute("role", "status");
    made.textContent = lost;
    one("main").prepend(made);
  }

  // One stream for all pages of this browser: the page that holds the lock tells the others.
  const SILENT = 25000;
  let heard = Date.now();
  function hear(news) {
    heard = Date.now();
    tellLost(Boolean(news.lost));
    if (news.stamp) wanted = news.stamp;
    look();
  }

  function listen() {
    const channel = "BroadcastChannel" in window ? new BroadcastChannel(`tocsin${stream}`) : null;
    let last = null;
    const tell = (news) => { hear(news); if (channel) channel.postMessage(news); };
    const lead = () => {
      const source = new EventSource(stream);
      source.addEventListener("changed", (event) => { last = event.data; tell({ stamp: last }); });
      source.addEventListener("alive", () => tell({ stamp: last }));
      source.onopen = () => tell({});
      source.onerror = () => {
        tell({ lost: true });
        if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
      };
      if (channel) channel.onmessage = (event) => { if (event.data.ask) tell({ stamp: last }); else hear(event.data); };
    };
    if (!channel || !navigator.locks) { lead(); return; }
    channel.onmessage = (event) => { if (!event.data.ask) hear(event.data); };
    navigator.locks.request(`tocsin${stream}`, () => { lead(); return new Promise(() => {}); });
    channel.postMessage({ ask: true });
    setInterval(() => { if (Date.now() - heard > SILENT) tellLost(true); }, 5000);
  }

  if (stream && one("[data-region]")) {
    listen();
    document.addEventListener("visibilitychange", look);
  }

  // What is done to chosen errors needs a chosen one.
  function count() {
    const form = one("form.chosen");
    if (!form) return;
    const chosen = all("input[name=id]:checked").length;
    one("[data-how-many]", form).textContent = String(chosen);
    for (const button of all("button", form)) button.disabled = !chosen;
  }
  count();
  document.addEventListener("change", count);
  document.addEventListener("tocsin:fresh", count);
  window.addEventListener("pageshow", count);

  // Filters act when something is chosen; typing waits for Enter.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-filter]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });

  // j and k move through a list, Enter opens, x chooses.
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = all("[data-item]");
    if (!rows.length || !["j", "k", "x"].includes(event.key)) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    if (event.key === "x") {
      const box = at >= 0 && one("input[type=checkbox]", rows[at]);
      if (box) box.click();
      return;
    }
    const next = rows[event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)];
    const link = one("a[href]", next);
    if (link) { link.focus(); next.scrollIntoView({ block: "nearest" }); }
  });
})();
