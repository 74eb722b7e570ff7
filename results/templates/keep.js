// A page that is renewed, or loaded again in its tab, stands as its reader left it: the place,
// what is unfolded, and of tables what was sorted, filtered, chosen and moved aside. Things are found
// again by their section and words without numbers, for numbers change while a run goes on.
(() => {
  "use strict";
  const slot = `left ${location.pathname}`;
  const anchors = "h1, h2, h3, caption, figcaption, summary";
  const focusable = "a, button, summary, input, [tabindex]";

  const words = (element) => {
    const told = element.querySelector(".title, summary .name, summary, .name") ?? element;
    const text = element.getAttribute("aria-label") ?? told.textContent;
    return text.replace(/[\d.,]+/g, "").replace(/\s+/g, " ").trim();
  };
  const named = (selector) => {
    const times = new Map();
    return new Map([...document.querySelectorAll(selector)].map((element) => {
      const key = `${element.closest("[id]")?.id ?? ""}/${element.localName}/${words(element)}`;
      times.set(key, (times.get(key) ?? 0) + 1);
      return [`${key}/${times.get(key)}`, element];
    }));
  };
  const told = (selector, tell) => [...named(selector)]
    .map(([key, element]) => [key, tell(element)])
    .filter(([, state]) => state !== null);
  const again = (saved, selector, tell) => {
    const found = named(selector);
    for (const [key, state] of saved) if (found.has(key)) tell(found.get(key), state);
  };

  // --- One table of class "board" -----------------------------------------------------------

  const bar = (table) => {
    const before = table.closest(".scroll")?.previousElementSibling;
    return before?.matches(".bar") ? before : null;
  };
  const boxes = (table) => [...(bar(table)?.querySelectorAll("input[type=checkbox]") ?? [])];
  const sorted = (head) => head?.getAttribute("aria-sort") ?? null;
  const chosen = new WeakSet();
  document.addEventListener("change", ({ target }) => {
    if (target.matches(".bar input[type=checkbox]")) chosen.add(target.closest(".bar"));
  });

  const boardState = (table) => {
    if (!bar(table)) return null;
    const head = table.querySelector("th[aria-sort]");
    return {
      filter: bar(table).querySelector("input[type=search]")?.value ?? "",
      groups: chosen.has(bar(table)) ? boxes(table).map((box) => [box.value, box.checked]) : [],
      sort: head && [words(head), sorted(head)],
    };
  };
  const setBoard = (table, { filter, groups, sort }) => {
    const wanted = new Map(groups);
    for (const box of boxes(table))
      if (wanted.has(box.value) && wanted.get(box.value) !== box.checked) box.click();
    const input = bar(table)?.querySelector("input[type=search]");
    if (input && filter) {
      input.value = filter;
      input.dispatchEvent(new Event("input"));
    }
    const head = sort && [...table.tHead.rows[table.tHead.rows.length - 1].cells]
      .find((cell) => words(cell) === sort[0]);
    for (let click = 0; head && click < 2 && sorted(head) !== sort[1]; click += 1)
      head.querySelector(".sort")?.click();
  };

  // --- The page -----------------------------------------------------------------------------

  const top = (element) => element.getBoundingClientRect().top;
  const edge = () => document.documentElement.clientHeight / 4;
  const leave = () => {
    const above = told(anchors, (element) => element.getClientRects().length ? top(element) : null)
      .filter(([, y]) => y < edge());
    const focus = [...named(focusable)].find(([, element]) => element === document.activeElement);
    const state = {
      hash: location.hash,
      y: window.scrollY,
      anchor: above.length ? above[above.length - 1] : null,
      folds: told("details", (element) => element.open),
      boards: told("table.board", boardState),
      aside: told(".scroll", (element) => element.scrollLeft || null),
      focus: focus ? focus[0] : null,
    };
    try {
      sessionStorage.setItem(slot, JSON.stringify(state));
    } catch {
      // No storage: the page begins at its top.
    }
  };

  const comeBack = () => {
    let state = null;
    try {
      state = JSON.parse(sessionStorage.getItem(slot));
    } catch {
      return;
    }
    if (!state) return;
    again(state.folds, "details", (element, open) => { element.open = open; });
    again(state.boards, "table.board", setBoard);
    const place = () => {
      const anchor = state.anchor && named(anchors).get(state.anchor[0]);
      window.scrollTo(0, state.y);
      if (anchor?.getClientRects().length) window.scrollBy(0, top(anchor) - state.anchor[1]);
      again(state.aside, ".scroll", (element, left) => { element.scrollLeft = left; });
    };
    const settle = () => {
      if (state.focus) named(focusable).get(state.focus)?.focus({ preventScroll: true });
      if (state.hash === location.hash) place();
    };
    // What was unfolded is drawn in a later turn, and browsers go to the address's own place last.
    history.scrollRestoration = "manual";
    window.addEventListener("load", () => setTimeout(settle));
  };

  window.addEventListener("pagehide", leave);
  comeBack();
})();
