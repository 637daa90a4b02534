// What the console does in the browser in addition to links and forms: settings, times, updates,
// keys and copies. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // The browser stores the settings. If it stores nothing, the defaults apply.
  const settings = {
    get(name) { try { return localStorage.getItem("switchboard." + name) || ""; } catch { return ""; } },
    set(name, value) { try { localStorage.setItem("switchboard." + name, value); } catch { /* not stored */ } },
  };
  const look = () => {
    for (const name of ["theme", "rows"]) {
      if (settings.get(name)) root.dataset[name] = settings.get(name); else delete root.dataset[name];
    }
  };
  look(); // before anything is drawn

  const say = (text) => { const status = one("[data-status]"); if (status) { status.textContent = ""; status.textContent = text; } };

  // Times. The server's clock counts: skew is how far it is ahead of this computer's clock.
  let skew = 0;
  const now = () => Date.now() + skew;
  const format = (options) => { const f = new Intl.DateTimeFormat("en-GB", options); return (at) => f.format(at); };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const date = { day: "numeric", month: "short" };
  const zones = [{}, { timeZone: "UTC" }].map((zone) => ({
    clock: format({ ...clock, ...zone }), date: format({ ...date, ...zone }), day: format({ ...date, year: "numeric", ...zone }),
  }));
  const [local, utc] = zones;
  // exact omits the date if it is today.
  const exact = (zone, at) => (zone.day(at) === zone.day(now()) ? "" : (zone.day(at).slice(-4) === zone.day(now()).slice(-4) ? zone.date(at) : zone.day(at)) + " ") + zone.clock(at);
  const span = (seconds) => {
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const i = units.findIndex(([length]) => seconds >= length);
    if (i < 0) return "0 s";
    const part = ([length, name], rest) => Math.floor(rest / length) + " " + name;
    const rest = seconds % units[i][0];
    return part(units[i], seconds) + (i < 2 && rest >= units[i + 1][0] ? " " + part(units[i + 1], rest) : "");
  };
  const relative = (at) => {
    const seconds = Math.round((now() - at) / 1000);
    return seconds >= 0 ? span(seconds) + " ago" : "in " + span(-seconds);
  };
  const inWords = (at, style) => {
    switch (style) {
      case "relative": return relative(at);
      case "local": return exact(local, at);
      case "utc": return exact(utc, at) + " UTC";
      case "day": return (settings.get("times") === "utc" ? utc : local).day(at);
    }
    return local.clock(at) === utc.clock(at) ? exact(utc, at) + " UTC" : exact(local, at) + " (" + exact(utc, at) + " UTC)";
  };
  const showTimes = (within = document) => {
    for (const element of all("time[data-time]", within)) {
      const own = element.dataset.time;
      const text = inWords(Date.parse(element.dateTime), own === "day" ? own : settings.get("times") || own);
      if (element.textContent !== text) element.textContent = text;
    }
  };
  const noteSkew = (server, at) => {
    if (!server) return;
    skew = server - at;
    const notice = one("[data-skew]");
    if (!notice) return;
    notice.hidden = Math.abs(skew) < 2500;
    one("span", notice).textContent = span(Math.round(Math.abs(skew) / 1000));
  };

  // Updates: elements with data-live reload themselves every so many seconds.
  let paused = false;
  const due = new WeakMap(), failures = new WeakMap(), tags = new WeakMap();
  const busy = () => paused || document.hidden || one("dialog[open]") || one("[data-tick]:checked") || String(getSelection());
  const later = (element, seconds) => due.set(element, Date.now() + seconds * 1000);
  const update = () => {
    const waits = busy();
    for (const element of all("[data-live]")) {
      if (!due.has(element)) later(element, Number(element.dataset.live));
      if (waits || Date.now() < due.get(element)) continue;
      later(element, 15); // unless the answer comes first
      element.dispatchEvent(new CustomEvent("live"));
    }
  };
  const isLive = (event) => event.target?.dataset?.live !== undefined && event.detail?.ctx;
  document.addEventListener("htmx:config:request", (event) => {
    if (!isLive(event)) return;
    const address = new URL(event.target.dataset.livePath || location.href, location.href);
    address.hash = "";
    address.searchParams.set("part", event.target.getAttribute("hx-get").split("=")[1]);
    const { request } = event.detail.ctx;
    request.action = address.pathname + address.search;
    request.headers["HX-PTag"] = tags.get(event.target) || ""; // of the shown content: the answer is 304 while it is the same
  });
  // Pages and their parts are HTML. Any other answer, for example to an error, is shown as text,
  // above the link that requested it.
  document.addEventListener("htmx:before:swap", (event) => {
    const { response, target, text } = event.detail.ctx, live = isLive(event);
    const html = (response.headers.get("Content-Type") || "").startsWith("text/html");
    if (!html || live && (response.status >= 400 || busy())) event.preventDefault();
    else if (live) tags.set(event.target, response.headers.get("HX-PTag"));
    if (html || live || !text) return;
    const fault = document.createElement("p");
    fault.className = "fault";
    fault.textContent = text;
    target.prepend(fault);
  });
  document.addEventListener("htmx:finally:request", (event) => {
    if (!isLive(event)) return;
    const element = event.target, response = event.detail.ctx.response, works = response && response.status < 400;
    const failed = works ? 0 : (failures.get(element) || 0) + 1;
    failures.set(element, failed);
    later(element, works ? Number(element.dataset.live) : [5, 10, 30][Math.min(failed, 3) - 1]);
    element.classList.toggle("stale", !works);
    const offline = one("[data-offline]"), updated = one("[data-updated]");
    if (works) {
      noteSkew(Date.parse(response.headers.get("Date")) + 500, Date.now()); // Date is exact to the second
      if (updated && !element.dataset.livePath) updated.textContent = "updated " + exact(settings.get("times") === "utc" ? utc : local, now());
      offline.hidden = true;
    } else {
      offline.textContent = (updated?.textContent || "").replace("updated", "As of") + ": " + (response ? "the server answers " + response.status : "cannot reach the server") + ". It is tried again.";
      offline.hidden = false;
    }
  });
  document.addEventListener("htmx:after:swap", (event) => { reveal(event.target); showTimes(event.target); ticked(); });
  const pause = () => {
    const button = one('[data-do="pause"]');
    if (!button) return; // nothing on the page updates itself
    paused = !paused;
    button.setAttribute("aria-pressed", paused);
    button.textContent = paused ? "Updates paused" : "Pause updates";
    say(paused ? "Updates are paused" : "Updates go on");
  };

  // Copies.
  const copy = async (text, what) => {
    try { await navigator.clipboard.writeText(text); say(what + " is copied"); } catch { say("The browser does not allow to copy"); }
  };
  // A link has times instead of "the last 24 hours", so that it still shows the same next week.
  const copyLink = () => {
    const link = new URL(one("[data-permanent]")?.href || location.href); // the server makes the link if the address is not enough
    const last = link.searchParams.get("last") || one("[data-last]")?.dataset.last || "";
    const hours = { h: 1, d: 24 }[last.slice(-1)] * parseInt(last, 10);
    if (hours && !link.searchParams.get("after") && !link.searchParams.get("before")) {
      link.searchParams.delete("last");
      const at = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 19) + "Z";
      link.searchParams.set("after", at(now() - hours * 3600000));
      link.searchParams.set("before", at(now()));
    }
    copy(link.href, "The link");
  };

  // Rows of lists.
  const rows = () => all("[data-row]");
  const here = () => one("[data-row][data-here]");
  const go = (step) => {
    const list = rows(), at = list.indexOf(here());
    const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))];
    if (!next) return;
    here()?.removeAttribute("data-here");
    next.dataset.here = "";
    next.scrollIntoView({ block: "nearest" });
    one("a[data-open]", next)?.focus({ preventScroll: true });
  };
  let lastTicked = null;
  const tick = (row, through) => {
    const box = row && one("[data-tick]", row);
    if (!box) return;
    box.checked = !box.checked;
    const list = rows(), from = list.indexOf(lastTicked), to = list.indexOf(row);
    if (through && from >= 0) {
      for (const between of list.slice(Math.min(from, to), Math.max(from, to) + 1)) { const b = one("[data-tick]", between); if (b) b.checked = box.checked; }
    }
    lastTicked = row;
    ticked();
  };
  const ticked = () => {
    const bar = one("[data-ticked]");
    if (!bar) return;
    const count = all("[data-tick]:checked").length;
    bar.hidden = count === 0;
    for (const element of all("[data-ticked-count]", bar)) element.textContent = count;
    const every = one("[data-tick-all]");
    if (every) { every.checked = count > 0 && count === all("[data-tick]").length; every.indeterminate = count > 0 && !every.checked; }
  };
  const tickAll = (value) => { for (const box of all("[data-tick]")) box.checked = value; ticked(); };

  // Keys. They do not work in a field, together with a modifier key, or while they are switched off.
  const follow = (selector, within) => { const link = one(selector, within); if (link) link.click(); return Boolean(link); };
  const act = (key, action) => {
    const bar = one("[data-ticked]:not([hidden])");
    if (bar && follow(`[data-key="${key}"]`, bar)) return;
    const row = here();
    if (row?.dataset.address) location.assign(row.dataset.address + "/" + action); else follow(`main [data-key="${key}"]`);
  };
  const help = () => one("[data-help]").showModal();
  const keys = {
    "/": () => one("#search")?.focus(), j: () => go(1), k: () => go(-1), o: () => here() && follow("a[data-open]", here()),
    x: () => tick(here(), false), X: () => tick(here(), true), a: () => tickAll(!one("[data-tick]:checked")),
    r: () => act("r", "retry"), c: () => act("c", "cancel"), "[": () => follow('a[rel="prev"]'), "]": () => follow('a[rel="next"]'),
    e: () => { const parts = all("main details"), open = parts.every((part) => !part.open); for (const part of parts) part.open = open; },
    ".": copyLink, y: () => { const id = here()?.dataset.id || one("[data-page-id]")?.dataset.pageId; if (id) copy(id, "The id"); },
    p: pause, "?": help,
  };
  let goes = 0; // when g was pressed
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape") { field?.blur(); for (const menu of all("details.menu[open]")) menu.open = false; return; }
    if (field || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || one("dialog[open]")) return;
    if (settings.get("keys") === "off" && event.key !== "?") return;
    const going = Date.now() - goes < 1500;
    goes = !going && event.key === "g" ? Date.now() : 0;
    if (going && follow(`[data-go="${CSS.escape(event.key)}"]`)) { event.preventDefault(); return; }
    if (goes || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // A portal link has its token behind the #, which no server sees. Move it from the address into the form.
  const enter = () => {
    const field = one("[data-link-token]");
    if (!field || location.hash.length < 2) return;
    field.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    field.closest(".field").hidden = true;
    one("form[data-enter] button")?.focus();
  };

  const reveal = (within) => { for (const element of all("[data-needs-script]", within)) element.hidden = false; };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-do]");
    if (!button) {
      for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
      return;
    }
    if (button.dataset.copy !== undefined) { copy(button.dataset.copy, "The text"); return; }
    ({ pause, help, "copy-link": copyLink })[button.dataset.do]?.();
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.dataset.setting) {
      settings.set(field.dataset.setting, field.type === "checkbox" && !field.checked ? "" : field.value);
      look();
      showTimes();
    } else if (field.dataset.tickAll !== undefined) {
      tickAll(field.checked);
    } else if (field.dataset.tick !== undefined) {
      lastTicked = field.closest("[data-row]");
      ticked();
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    const loaded = performance.getEntriesByType("navigation")[0];
    noteSkew(Date.parse(document.body.dataset.now), performance.timeOrigin + (loaded?.responseStart || 0));
    for (const field of all("[data-setting]")) {
      const value = settings.get(field.dataset.setting);
      if (field.type === "checkbox") field.checked = value === field.value; else field.value = value;
    }
    if (matchMedia("(max-width: 720px)").matches && !one(".problem")) for (const filters of all(".filters")) filters.open = false;
    reveal(document);
    showTimes();
    ticked();
    one("[data-focus]")?.focus();
    enter();
    setInterval(update, 1000);
    setInterval(showTimes, 5000);
  });
})();
