"use strict";
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const rows = new Map(all("tr[data-c]").map((row) => [row.dataset.c, row]));
  const marks = new Map();
  for (const item of all(".line[data-c], .point[data-c]")) {
    if (!marks.has(item.dataset.c)) marks.set(item.dataset.c, []);
    marks.get(item.dataset.c).push(item);
  }

  // One candidate is lit at a time: its lines, its points and its row.
  let lit = null;
  const light = (number) => {
    if (number === lit) return;
    const change = (which, on) => {
      rows.get(which)?.classList.toggle("hot", on);
      for (const item of marks.get(which) ?? []) item.classList.toggle("hot", on);
    };
    if (lit !== null) change(lit, false);
    lit = number;
    if (lit !== null) change(lit, true);
    for (const lines of all(".lines")) lines.classList.toggle("lit", lit !== null && lines.querySelector(".hot") !== null);
  };
  for (const [number, row] of rows) {
    row.addEventListener("pointerenter", () => light(number));
    row.addEventListener("pointerleave", () => light(null));
    row.addEventListener("focusin", () => light(number));
  }
  for (const point of all(".point[data-c], .finding[data-c], .end[data-c]")) {
    point.addEventListener("pointerenter", () => light(point.dataset.c));
    point.addEventListener("pointerleave", () => light(null));
  }

  // Which metric is drawn.
  const buttons = all("[data-show]");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      for (const figure of all("figure[data-metric]")) figure.hidden = figure.dataset.metric !== button.dataset.show;
    });
  }

  // The nearest line to the pointer, by distance to its segments.
  const near = 24;
  const parse = (line) => ({
    line,
    runs: line.getAttribute("d").split("M").slice(1).map((run) => run.split("L").map((pair) => pair.split(" ").map(Number))),
  });
  const distance = ([ax, ay], [bx, by], x, y) => {
    const length = (bx - ax) ** 2 + (by - ay) ** 2;
    const part = length ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) : 0;
    return Math.hypot(x - ax - part * (bx - ax), y - ay - part * (by - ay));
  };
  const nearest = (lines, x, y) => {
    let best = null;
    for (const { line, runs } of lines) {
      for (const run of runs) {
        for (let i = 1; i < run.length; i++) {
          if (Math.max(run[i - 1][0], run[i][0]) < x - near || Math.min(run[i - 1][0], run[i][0]) > x + near) continue;
          const far = distance(run[i - 1], run[i], x, y);
          if (far > near || (best && far >= best.far)) continue;
          const point = Math.abs(run[i - 1][0] - x) < Math.abs(run[i][0] - x) ? run[i - 1] : run[i];
          best = { far, line, point };
        }
      }
    }
    return best;
  };
  const value = (mapping, pixel) => {
    const [low, high, start, end] = mapping.split(" ").map(Number);
    return low + ((pixel - start) / (end - start)) * (high - low);
  };
  for (const figure of all("figure.curves")) {
    const svg = figure.querySelector("svg");
    const label = figure.querySelector(".label");
    let lines = null;
    const leave = () => { light(null); label.hidden = true; };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      lines ??= all(".line[data-c]", svg).map(parse);
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const found = nearest(lines, at.x, at.y);
      if (!found) return leave();
      const { c, seed } = found.line.dataset;
      light(c);
      const row = rows.get(c);
      const head = document.createElement("b");
      head.textContent = `${row?.dataset.name ?? `candidate ${c}`}, seed ${seed}`;
      const y = value(svg.dataset.y, found.point[1]).toPrecision(4).replace("-", "−");
      const reading = `${figure.dataset.metric} ${y} at step ${Math.round(value(svg.dataset.x, found.point[0]))}`;
      const changes = document.createElement("div");
      changes.className = "soft";
      changes.textContent = row?.dataset.changes ?? "";
      label.replaceChildren(head, reading, changes);
      label.hidden = false;
      const box = label.parentElement.getBoundingClientRect();
      const x = event.clientX - box.left + label.parentElement.scrollLeft;
      const left = x + 16 + label.offsetWidth > label.parentElement.scrollWidth ? x - 16 - label.offsetWidth : x + 16;
      label.style.left = `${Math.max(0, left)}px`;
      label.style.top = `${Math.max(0, Math.min(event.clientY - box.top + 8, box.height - label.offsetHeight))}px`;
    });
  }

  // A header sorts; empty cells stay at the end.
  const body = document.querySelector(".candidates tbody");
  const headers = all(".candidates th");
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  headers.forEach((header, index) => {
    header.querySelector("button").addEventListener("click", () => {
      const up = header.getAttribute("aria-sort") !== "ascending";
      for (const other of headers) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[index].dataset.v;
      body.append(...[...body.rows].sort((a, b) => {
        if (!key(a) || !key(b)) return Number(!key(a)) - Number(!key(b));
        return (up ? 1 : -1) * compare(key(a), key(b));
      }));
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !body) return;
    const row = document.activeElement?.closest?.(".candidates tbody tr");
    if (event.key === "j" || event.key === "k") {
      const next = !row ? body.rows[0] : event.key === "j" ? row.nextElementSibling : row.previousElementSibling;
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Enter" && row === document.activeElement) {
      const details = row?.querySelector("details");
      if (details) details.open = !details.open;
    }
  });
}
