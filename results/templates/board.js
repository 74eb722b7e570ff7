// Tables of class "board": sort, filter, groups of columns, copy. Without JavaScript all is shown.
(() => {
  "use strict";
  const phantom = document.body.classList.contains("phantom");
  const notice = "PHANTOM: generated data, not a result";

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // --- What a cell says -------------------------------------------------------------------

  const said = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".note, .swatch").forEach((part) => part.remove());
    copy.querySelectorAll(".tag").forEach((tag) => tag.replaceWith(`(${tag.textContent})`));
    copy.querySelectorAll("br").forEach((line) => line.replaceWith(" "));
    return copy.textContent.replace(/[ \t\r\n]+/g, " ").trim();
  };
  const number = (text) => {
    const plain = text.replace(/\u2212/g, "-").replace(/[\u202f ]/g, "");
    return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : null;
  };

  // --- Copying ----------------------------------------------------------------------------

  const csvCell = (text) => {
    if (text === "\u2013") return "";
    const value = number(text);
    if (value !== null) return text.replace(/\u2212/g, "-").replace(/[\u202f ]/g, "");
    const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  const markdownCell = (text) =>
    text.replace(/[\\|`*_\[\]~]/g, "\\$&").replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const inLatex = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", '"': "\\textquotedbl{}",
    "\u00b1": "$\\pm$", "\u2212": "$-$", "\u2013": "--", "\u202f": "\\,",
  };
  const latexCell = (text) =>
    text.replace(/[\\~^<>|"\u00b1\u2212\u2013\u202f]|[&%$#_]|[{}]/g, (one) => inLatex[one] ?? `\\${one}`);

  const formats = {
    CSV: ({ heads, rows }) => {
      const stamp = phantom ? "phantom" : "real";
      const lines = [["data", ...heads.map(csvCell)], ...rows.map((row) => [stamp, ...row.map(csvCell)])];
      return lines.map((line) => line.join(",")).join("\n") + "\n";
    },
    Markdown: ({ heads, rows, right }) => {
      const line = (cells) => `| ${cells.map(markdownCell).join(" | ")} |`;
      const rule = `|${right.map((is) => (is ? "---:" : "---")).join("|")}|`;
      const above = phantom ? `**${notice}**\n\n` : "";
      return above + [line(heads), rule, ...rows.map(line)].join("\n") + "\n";
    },
    LaTeX: ({ heads, rows, right }) => {
      const line = (cells) => `${cells.map(latexCell).join(" & ")} \\\\`;
      const stamp = phantom ? [`\\multicolumn{${heads.length}}{l}{\\textbf{${notice}}} \\\\`] : [];
      const begin = `\\begin{tabular}{${right.map((is) => (is ? "r" : "l")).join("")}}`;
      return [
        "% needs \\usepackage{booktabs}", begin, "\\toprule", ...stamp, line(heads), "\\midrule",
        ...rows.map(line), "\\bottomrule", "\\end{tabular}",
      ].join("\n") + "\n";
    },
  };

  const copied = async (text, bar) => {
    bar.querySelector("textarea")?.remove();
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Pages from disk may lack the clipboard: the reader copies from a field instead.
    }
    const field = make("textarea", { value: text, readOnly: true, ariaLabel: "The table as text" });
    bar.append(field);
    field.focus();
    field.select();
    if (!document.execCommand("copy")) return false;
    field.remove();
    return true;
  };

  // --- One table --------------------------------------------------------------------------

  const equip = (table) => {
    const heads = [...(table.tHead?.rows[table.tHead.rows.length - 1].cells ?? [])];
    const body = table.tBodies[0];
    const rows = [...(body?.rows ?? [])].filter((row) => row.cells.length === heads.length);
    if (!rows.length) return;
    const scroll = table.closest(".scroll");
    const status = make("span", { role: "status" });
    const bar = make("div", { className: "bar" });

    const shown = () => heads.map((_, place) => place).filter((place) => !heads[place].hidden);

    const sort = (place, direction) => {
      const value = (row) => {
        const cell = row.cells[place];
        if ("v" in cell.dataset) return Number(cell.dataset.v);
        const text = said(cell);
        return text === "\u2013" ? null : number(text) ?? text.toLowerCase();
      };
      const keyed = rows.map((row) => [value(row), row]);
      const numbers = keyed.some(([key]) => typeof key === "number");
      const sign = direction === "descending" ? -1 : 1;
      const lacks = (key) => key === null || (numbers && typeof key !== "number");
      keyed.sort(([a], [b]) => {
        if (lacks(a) || lacks(b)) return lacks(a) - lacks(b);
        return sign * (numbers ? a - b : a.localeCompare(b));
      });
      body.append(...(direction ? keyed.map(([, row]) => row) : rows));
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      if (direction) heads[place].setAttribute("aria-sort", direction);
    };
    const numeric = (place) => rows.some((row) => "v" in row.cells[place].dataset);
    heads.forEach((head, place) => {
      const button = make("button", { type: "button", className: "sort", title: "Sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.dataset.first ?? (numeric(place) ? "descending" : "ascending");
        const second = first === "ascending" ? "descending" : "ascending";
        const now = head.getAttribute("aria-sort");
        sort(place, now === null ? first : now === first ? second : null);
      });
    });

    const groups = [...table.tHead.querySelectorAll("th[scope=colgroup]")];
    if (groups.length) bar.append(chips(table, heads, rows, groups, scroll));

    if (rows.length > 1) {
      const name = table.caption?.querySelector(".title")?.textContent ?? "rows";
      const input = make("input", { type: "search", placeholder: "Filter rows" });
      input.setAttribute("aria-label", `Filter rows: ${name}`);
      input.addEventListener("input", () => {
        const wanted = input.value.trim().toLowerCase();
        const has = (row) =>
          shown().some((place) => row.cells[place].textContent.toLowerCase().includes(wanted));
        rows.forEach((row) => { row.hidden = wanted !== "" && !has(row); });
        const left = rows.filter((row) => !row.hidden).length;
        status.textContent = wanted ? `${left} of ${rows.length} shown` : "";
      });
      bar.append(make("span", {}, input));
    }

    const content = () => ({
      heads: shown().map((place) => said(heads[place])),
      right: shown().map((place) => heads[place].classList.contains("n")),
      rows: [...body.rows]
        .filter((row) => rows.includes(row) && !row.hidden)
        .map((row) => shown().map((place) => said(row.cells[place]))),
    });
    const copy = make("span", {}, "Copy");
    for (const [name, text] of Object.entries(formats)) {
      const button = make("button", { type: "button", textContent: name });
      button.title = `Copy the rows and columns that are shown, as ${name}`;
      button.addEventListener("click", async () => {
        const done = await copied(text(content()), bar);
        status.textContent = done ? `Copied as ${name}` : "Press Ctrl+C to copy";
      });
      copy.append(button);
    }
    bar.append(copy, status);
    scroll.before(bar);
  };

  // --- Groups of columns: those that fit beside the figure are on at the start --------------
  // This runs before the figures are drawn, which then take the width that is left to them.

  const chips = (table, heads, rows, groups, scroll) => {
    const field = make("fieldset", {}, make("legend", { textContent: "Columns" }));
    const first = table.closest(".first");
    const set = (id, on) => {
      table.tHead.querySelectorAll(`[data-group="${id}"]`).forEach((head) => { head.hidden = !on; });
      heads.forEach((head, place) => {
        if (head.dataset.group === id) rows.forEach((row) => { row.cells[place].hidden = !on; });
      });
    };
    const over = () => scroll.scrollWidth > scroll.clientWidth;
    const settle = () => {
      first?.classList.remove("wide");
      first?.classList.toggle("wide", over() && boxes.some((box) => box.checked));
      window.dispatchEvent(new Event("resize"));
    };
    const boxes = groups.map((group) => {
      const box = make("input", { type: "checkbox", value: group.dataset.group });
      box.addEventListener("change", () => { set(box.value, box.checked); settle(); });
      const title = group.firstChild.textContent.trim().toLowerCase();
      field.append(make("label", {}, box, title));
      return box;
    });
    first?.classList.remove("wide");
    boxes.forEach((box) => set(box.value, false));
    for (const box of boxes) {
      set(box.value, true);
      box.checked = !over();
      if (!box.checked) set(box.value, false);
    }
    return field;
  };

  document.querySelectorAll("table.board").forEach(equip);
})();
