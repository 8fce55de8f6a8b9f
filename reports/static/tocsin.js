// The one script of every page: local times, filter and sort, copying, samples, the sheet, refreshing in place.
// It works from disk: what comes later comes as scripts of the same directory, never by fetch.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const language = document.documentElement.lang;

  // Times: the server writes UTC, the reader sees local time; UTC stays in the title.
  const zone = document.documentElement.dataset.zone || undefined;   // the reader's own, else the browser's
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function ago(moment) {
    const seconds = (moment - Date.now()) / 1000;
    if (Math.abs(seconds) > 30 * 86400) return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: zone }).format(moment);
    const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) || steps[3];
    return relative.format(Math.round(seconds / size), unit);
  }

  function tellTimes(root = document) {
    const named = one("[data-zone-name]");
    if (named && !zone) named.textContent = exact.resolvedOptions().timeZone.split("/").pop().replaceAll("_", " ");
    for (const time of all("time", root)) {
      const moment = new Date(time.dateTime);
      const local = exact.format(moment);
      const utc = time.dateTime.replace("T", " ").replace("Z", " UTC");
      time.textContent = "ago" in time.dataset ? ago(moment) : local;
      time.title = "ago" in time.dataset ? `${local} (${utc})` : utc;
    }
  }

  // A short word at the bottom of the window, read out too.
  let fading;
  function say(text) {
    let toast = one(".toast");
    if (!toast) {
      toast = document.createElement("div");
      toast.className = "toast";
      toast.setAttribute("role", "status");
      document.body.append(toast);
    }
    toast.textContent = text;
    clearTimeout(fading);
    fading = setTimeout(() => toast.remove(), 2600);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");   // plain http: no clipboard there
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  // Filter and sort; what was chosen outlives a refresh and a reload.
  const tools = () => one("[data-tools]");
  const stored = `tocsin:${location.pathname}`;
  const chosen = new Set();
  const order = {
    last: (a, b) => b.dataset.last - a.dataset.last,
    first: (a, b) => b.dataset.first - a.dataset.first,
    count: (a, b) => b.dataset.count - a.dataset.count,
    clients: (a, b) => b.dataset.clients - a.dataset.clients || b.dataset.count - a.dataset.count,
  };

  function arrange() {
    const form = tools();
    if (!form) return;
    const wanted = Object.fromEntries(new FormData(form));
    const words = (wanted.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const list = one("[data-list]");
    if (!list) return;
    let shown = 0;
    for (const item of all("[data-item]", list)) {
      const text = (item.dataset.text || "") + item.textContent.toLowerCase();
      const fits = (!wanted.state || item.dataset.state === wanted.state)
        && (!wanted.service || item.dataset.service === wanted.service)
        && words.every((word) => text.includes(word));
      item.hidden = !fits;
      shown += fits;
    }
    list.classList.toggle("weekly", wanted.span === "week");
    if (order[wanted.sort]) list.append(...all("[data-item]", list).sort(order[wanted.sort]));
    one("[data-empty]").hidden = shown > 0;
    one("[data-status]", form).textContent = String(shown);
    for (const box of all("[data-item] input[type=checkbox]", list)) box.checked = chosen.has(box.value);
    const count = one("[data-chosen]", form);
    if (count) count.textContent = chosen.size ? `(${chosen.size})` : "";
    const fix = one("[data-autofix]", form);
    if (fix) fix.disabled = !chosen.size;
    tellOthers(words, wanted).catch(() => {});
    try { sessionStorage.setItem(stored, JSON.stringify(wanted)); } catch { /* storage is switched off */ }
  }

  function restore() {
    const form = tools();
    if (!form) return;
    try {
      for (const [name, value] of Object.entries(JSON.parse(sessionStorage.getItem(stored)) || {})) {
        const field = form.elements[name];
        if (field && (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value))) field.value = value;
      }
    } catch { /* storage is switched off */ }
  }

  // Later data: a script beside the page that calls window.tocsin(name, value).
  const waiting = new Map();
  window.tocsin = (name, value) => {
    for (const take of waiting.get(name) || []) take(value);
    waiting.delete(name);
  };
  function load(address, name) {
    return new Promise((take, fail) => {
      waiting.set(name, [...(waiting.get(name) || []), take]);
      const script = document.createElement("script");
      script.src = `${address}?${Date.now()}`;
      script.onload = () => script.remove();
      script.onerror = () => { script.remove(); fail(new Error(address)); };
      document.head.append(script);
    });
  }
  const detail = (id) => load(`errors/${id}.js`, `error ${id}`);
  const parsed = (html) => new DOMParser().parseFromString(html, "text/html").body;

  // A search looks through the other pages too: their titles come with the first search.
  const FOUND = 50;
  let titles = null;
  async function tellOthers(words, wanted) {
    const more = one("[data-more]");
    if (!more) return;
    const asked = words.length || wanted.state || wanted.service;
    if (asked && !titles) titles = load(more.dataset.more, "search");
    const known = asked ? await titles : [];
    const here = new Set(all("[data-item]").map((item) => item.dataset.id));
    const found = known.filter((each) => !here.has(String(each[0]))
      && (!wanted.service || each[2] === wanted.service)
      && (!wanted.state || each[3] === wanted.state)
      && words.every((word) => each.slice(1, 5).join(" ").toLowerCase().includes(word))).slice(0, FOUND);
    more.hidden = !found.length;
    one("ul", more).replaceChildren(...found.map(([id, title, service, , , target]) => {
      const line = document.createElement("li");
      const link = document.createElement("a");
      link.href = `${more.dataset.folder}${Number(target || id)}.html`;
      link.textContent = title;
      line.append(link, ` ${service}`);
      return line;
    }));
  }

  async function openSheet(id) {
    const sheet = one("#sheet");
    const { corrections } = await detail(id);
    one("#sheet-body").replaceChildren(...parsed(corrections).childNodes);
    tellTimes(sheet);
    sheet.showModal();
  }

  async function autofix(button) {
    try {
      const parts = await Promise.all([...chosen].map(detail));
      say(await copy(parts.map((part) => part.markdown).join("\n\n")) ? button.dataset.done : button.dataset.failed);
    } catch {
      say(button.dataset.failed);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { copy: from, copyText, sheet, step } = button.dataset;
    if (from || copyText) {
      const done = await copy(copyText || one(`#${from}`).textContent);
      say(done ? button.dataset.done || "✓" : "✗");
    }
    if (sheet) openSheet(sheet);
    if ("close" in button.dataset) button.closest("dialog").close();
    if ("autofix" in button.dataset) autofix(button);
    if (step) showSample(Number(step));
  });
  document.addEventListener("input", (event) => { if (event.target.closest("[data-tools]")) arrange(); });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-item] input[type=checkbox]")) {
      if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
      arrange();
    }
  });
  document.addEventListener("submit", (event) => { if (event.target.matches("[data-tools]")) event.preventDefault(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, textarea, select")) {
      const field = one(".tools input[name=q]");
      if (field) { event.preventDefault(); field.focus(); }
    }
  });

  // Samples of an error, one at a time.
  let at = 0;
  function showSample(step) {
    const samples = all("[data-sample]");
    if (!samples.length) return;
    at = Math.min(Math.max(at + step, 0), samples.length - 1);
    samples.forEach((sample, number) => { sample.hidden = number !== at; });
    const stepper = one("[data-stepper]");
    if (!stepper) return;
    stepper.hidden = false;
    one("[data-at]", stepper).textContent = String(at + 1);
    one("[data-step='-1']", stepper).disabled = at === 0;
    one("[data-step='1']", stepper).disabled = at === samples.length - 1;
  }

  // Refreshing: a tiny file says whether the page changed and when the daemon was last alive.
  const SILENT = 90000;
  let stamp = document.body.dataset.stamp, alive = null, moved = Date.now();

  function tellDaemon() {
    const place = one("[data-daemon]");
    if (!place || !place.classList.contains("good") || Date.now() - moved < SILENT) return;
    place.className = "bad";
    one("[data-word]", place).textContent = place.dataset.daemon;
  }

  async function refresh() {
    const news = await load(document.body.dataset.live, "live");
    if (news.alive !== alive) {
      moved = alive === null && Math.abs(Date.now() - news.alive * 1000) > SILENT ? news.alive * 1000 : Date.now();
      alive = news.alive;
    }
    if (news.stamp !== stamp) {
      const body = parsed((await load("index.js", "index")).html);
      const open = all("[data-region] details[open]").map((each) => each.className);
      const focus = document.activeElement && document.activeElement.name;
      for (const region of all("[data-region]", body)) {
        const old = document.getElementById(region.id);
        if (!old) continue;
        const form = one("[data-tools]", old);
        const fresh = one("[data-tools]", region);
        if (form && fresh) fresh.replaceWith(form);   // the reader's own filter and cursor stay as they are
        old.replaceChildren(...region.childNodes);
      }
      for (const each of all("[data-region] details")) each.open = open.includes(each.className);
      if (focus && tools()) tools().elements[focus]?.focus();
      tellTimes();
      arrange();
    }
    stamp = news.stamp;
    tellDaemon();
  }

  document.addEventListener("tocsin:fresh", () => { tellTimes(); showSample(0); });

  function start() {
    tellTimes();
    restore();
    arrange();
    showSample(0);
    for (const each of all("[data-script]")) each.hidden = false;
    setInterval(() => tellTimes(), 30000);
    if (!document.body.dataset.live) return;
    const look = () => { if (!document.hidden) refresh().catch(tellDaemon); };
    look();
    setInterval(look, Math.max(2, Number(document.body.dataset.every) || 5) * 1000);
    document.addEventListener("visibilitychange", look);
  }
  start();
})();
