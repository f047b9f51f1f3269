// A_d as a heat map and as a graph. A[i][j] is the weight of node j in the update of node i.

import { colour, element, named, sigmoid, svg } from "./dom.js";

const CELL = 15, ROOM = 76, SIDE = 300; // of the heat map: a cell, the names; of the graph: its square
const EDGES = 12, OWN = 4, NODES = 7; // OWN: of the chosen category's row at most so many, and so many are always drawn

export class HeatMap {
  constructor(about, choose) {
    this.about = about;
    const C = about.classes.length, size = ROOM + C * CELL;
    this.field = svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img" });
    this.cells = about.classes.map((name, i) => about.classes.map((_, j) =>
      svg("rect", { x: ROOM + j * CELL, y: ROOM + i * CELL, width: CELL, height: CELL })));
    this.names = about.classes.map((name, c) => [
      svg("text", { x: ROOM - 4, y: ROOM + (c + 0.75) * CELL, "text-anchor": "end" }, name),
      svg("text", { transform: `translate(${ROOM + (c + 0.75) * CELL}, ${ROOM - 4}) rotate(-90)` }, name),
    ]);
    this.frame = svg("rect", { x: ROOM, width: C * CELL, height: CELL, class: "pg-frame" });
    this.field.append(...this.cells.flat(), ...this.names.flat(), this.frame);
    this.field.addEventListener("click", (event) => {
      const box = this.field.getBoundingClientRect();
      const i = Math.floor(((event.clientY - box.top) * (size / box.height) - ROOM) / CELL);
      if (i >= 0 && i < C) choose(i);
    });
    this.text = element("p", { class: "pg-note" });
    this.bar = element("p", { class: "pg-scale", "aria-hidden": "true" });
    this.node = element("section", { class: "pg-panel" }, element("h2", { class: "pg-title" }, ...named("A_d"), " as a heat map"), this.field, this.bar, this.text);
  }

  /** A [C][C], or its difference from `mean` where that is given. */
  draw(A, mean, category, there) {
    const { classes, colours } = this.about, shown = mean ? A.map((row, i) => row.map((w, j) => w - mean[i][j])) : A;
    const most = mean ? Math.max(0.05, ...shown.flat().map(Math.abs)) : 1, scale = mean ? colours.signed : colours.graph;
    shown.forEach((row, i) => row.forEach((w, j) => {
      this.cells[i][j].setAttribute("fill", `rgb(${colour(scale, mean ? 0.5 + w / (2 * most) : w)})`);
    }));
    this.names.forEach((pair, c) => pair.forEach((text) => text.classList.toggle("pg-there", there.has(classes[c]))));
    this.frame.setAttribute("y", ROOM + category * CELL);
    this.bar.style.setProperty("--scale", scale.join(", "));
    this.bar.replaceChildren(...[mean ? -most : 0, mean ? 0 : 0.5, most].map((v) => element("span", {}, v.toFixed(2))));
    const row = shown[category].map((w, j) => [w, j]).filter(([, j]) => j !== category).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
    const told = row.slice(0, 3).map(([w, j]) => `${classes[j]} ${w.toFixed(2)}`).join(", ");
    this.text.textContent = mean ? `Row “${classes[category]}”, furthest from the mean: ${told}.` : `Row “${classes[category]}” listens most to ${told}.`;
    this.field.setAttribute("aria-label", `The matrix of ${classes.length} by ${classes.length} weights. ${this.text.textContent}`);
  }
}

export class GraphView {
  constructor(about) {
    this.about = about;
    this.field = svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" });
    this.text = element("p", { class: "pg-note" });
    this.node = element("section", { class: "pg-panel" }, element("h2", { class: "pg-title" }, ...named("A_d"), " as a graph"), this.field, this.text);
  }

  /** The categories of the scene and those that score highest, and the strongest links between them. */
  draw(A, scores, category, there) {
    const { classes } = this.about;
    const rank = (c) => (c === category) * 2 + there.has(classes[c]) + sigmoid(scores[c]);
    const nodes = classes.map((_, c) => c).sort((a, b) => rank(b) - rank(a)).slice(0, NODES).sort((a, b) => a - b);
    const spot = Object.fromEntries(nodes.map((c, k) => {
      const angle = (2 * Math.PI * k) / nodes.length - Math.PI / 2;
      return [c, [SIDE / 2 + 105 * Math.cos(angle), SIDE / 2 + 112 * Math.sin(angle)]];
    }));
    const links = nodes.flatMap((i) => nodes.filter((j) => j !== i).map((j) => ({ i, j, w: A[i][j] })));
    const by = (a, b) => b.w - a.w, real = links.filter(({ w }) => w > 0.005).sort(by);
    const own = real.filter(({ i }) => i === category).slice(0, OWN), rest = real.filter(({ i }) => i !== category);
    const strongest = [...rest.slice(0, EDGES - own.length), ...own].sort(by).reverse();
    this.field.replaceChildren(
      svg("defs", {}, ...["", "-own"].map((kind) => svg("marker", {
        id: `pg-arrow${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8,
        markerUnits: "userSpaceOnUse", orient: "auto", class: `pg-arrow${kind}`,
      }, svg("path", { d: "M0,0L8,4L0,8Z" })))),
      ...strongest.map(({ i, j, w }) => this.arrow(spot[j], spot[i], w, i === category)),
      ...nodes.map((c) => this.circle(spot[c], classes[c], sigmoid(scores[c]), there.has(classes[c]))),
    );
    this.text.textContent = strongest.length
      ? `Strong links among ${nodes.length} categories: an arrow runs from j to i, as wide as A_d[i, j]. Orange: what “${classes[category]}” hears. Filled: in the scene.`
      : "No category listens to another.";
    const [first] = strongest.slice(-1), told = first ? ` The strongest: ${classes[first.i]} listens to ${classes[first.j]}, ${first.w.toFixed(2)}.` : "";
    this.field.setAttribute("aria-label", `A graph of ${nodes.map((c) => classes[c]).join(", ")}.${told}`);
  }

  arrow([x0, y0], [x1, y1], w, own) {
    const length = Math.hypot(x1 - x0, y1 - y0), u = (x1 - x0) / length, v = (y1 - y0) / length;
    const [a, b] = [[x0 + 16 * u - 5 * v, y0 + 16 * v + 5 * u], [x1 - 20 * u - 5 * v, y1 - 20 * v + 5 * u]];
    const bend = [(a[0] + b[0]) / 2 - 14 * v, (a[1] + b[1]) / 2 + 14 * u];
    return svg("path", {
      d: `M${a}Q${bend} ${b}`, class: own ? "pg-link pg-own" : "pg-link", "marker-end": `url(#pg-arrow${own ? "-own" : ""})`,
      "stroke-width": 0.5 + 4 * w, opacity: 0.3 + 0.7 * w,
    });
  }

  circle([x, y], name, p, there) {
    return svg("g", { class: there ? "pg-node pg-there" : "pg-node" },
      svg("circle", { cx: x, cy: y, r: 14 }), svg("text", { x, y: y + 4, class: "pg-value" }, p.toFixed(2).replace(/^0/, "")),
      svg("text", { x, y: y + (y < SIDE / 2 ? -20 : 30), class: "pg-name" }, name));
  }
}
