// The scores as a ranked table, and the map of one category over the scene.

import { button, colour, element, sigmoid } from "./dom.js";

export class Scores {
  /** `choose(category)` is called with a number when the reader picks a category. */
  constructor(about, choose) {
    Object.assign(this, { about, choose });
    this.caption = element("caption");
    this.head = element("thead");
    this.body = element("tbody");
    this.node = element("div", { class: "pg-scores" }, element("table", {}, this.caption, this.head, this.body));
    this.rows = about.classes.map((name, c) => {
      const pick = button(name, () => choose(c), { class: "pg-pick" });
      const cells = about.graphs.map(() => element("td"));
      const row = element("tr", {}, element("th", { scope: "row" }, pick), ...cells);
      return { row, pick, cells };
    });
    this.body.append(...this.rows.map(({ row }) => row));
  }

  /** Rank by the scores of `graph`; all graphs side by side, or that one alone. */
  draw(scores, graph, together, category, scene) {
    const { graphs, classes } = this.about, chosen = graphs.indexOf(graph);
    const p = scores.map((row) => row.map(sigmoid)), there = new Set(scene.objects.map(({ name }) => name));
    this.caption.textContent = together ? "Scores σ(s) of the four models; ✗: invented or missed" : `Scores σ(s) of the model “${graph}”`;
    this.head.replaceChildren(element("tr", {}, element("th", { scope: "col" }, "category"),
      ...(together ? graphs : [graph]).map((name) => element("th", { scope: "col" }, together ? name : "0.5"))));
    this.node.classList.toggle("pg-together", together);
    const order = classes.map((_, c) => c).sort((a, b) => scores[chosen][b] - scores[chosen][a]);
    const focused = document.activeElement;
    order.forEach((c, place) => {
      const { row, pick, cells } = this.rows[c];
      if (this.body.children[place] !== row) this.body.insertBefore(row, this.body.children[place] ?? null);
      row.classList.toggle("pg-there", there.has(classes[c]));
      pick.setAttribute("aria-pressed", String(c === category));
      pick.title = there.has(classes[c]) ? "in the scene" : "not in the scene";
      cells.forEach((cell, g) => {
        const value = p[g][c], said = value > 0.5 === there.has(classes[c]) ? "" : value > 0.5 ? "invented" : "missed";
        cell.hidden = !together && g !== chosen;
        cell.className = [value > 0.5 ? "pg-yes" : "", said && `pg-${said}`].join(" ");
        cell.style.setProperty("--share", `${100 * value}%`);
        const mark = said && element("em", { title: said }, together ? element("span", { "aria-label": said, role: "img" }, "✗") : said);
        cell.replaceChildren(element("span", { class: "pg-number" }, value.toFixed(2)), mark);
      });
    });
    if (this.body.contains(focused)) focused.focus({ preventScroll: true });
    const yes = order.filter((c) => p[chosen][c] > 0.5).map((c) => `${classes[c]} ${p[chosen][c].toFixed(2)}`);
    return yes.length ? `Above 0.5: ${yes.join(", ")}.` : "Nothing is above 0.5.";
  }
}

export class MapView {
  constructor(about) {
    this.about = about;
    this.canvas = element("canvas", { width: 256, height: 256, role: "img" });
    this.title = element("h2", { class: "pg-title" });
    this.text = element("p", { class: "pg-note" });
    this.node = element("section", { class: "pg-panel" }, this.title, this.canvas, this.text);
    this.cells = document.createElement("canvas");
  }

  /** The map M [H'][W'] of a category over the scene in grey, on the scale 0 to 1. */
  draw(map, name, scene) {
    const height = map.length, width = map[0].length, pen = this.canvas.getContext("2d");
    Object.assign(this.cells, { width, height });
    const cells = new ImageData(width, height);
    map.flat().forEach((m, k) => cells.data.set([...colour(this.about.colours.map, m), 255], 4 * k));
    this.cells.getContext("2d").putImageData(cells, 0, 0);
    pen.globalAlpha = 1;
    pen.filter = "grayscale(1)";
    pen.drawImage(scene.canvas, 0, 0, 256, 256);
    pen.filter = "none";
    pen.globalAlpha = 0.7;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.cells, 0, 0, 256, 256);
    const peak = Math.max(...map.flat()), at = map.flat().indexOf(peak);
    const side = ["left", "middle", "right"][Math.floor((3 * (at % width)) / width)];
    const level = ["top", "middle", "bottom"][Math.floor((3 * Math.floor(at / width)) / height)];
    this.title.textContent = `Map of “${name}”`;
    this.text.textContent = `Its peak is ${peak.toFixed(2)}, ${level} ${side}.`.replace("middle middle", "in the middle");
    this.canvas.setAttribute("aria-label", `The activation map of ${name} over the scene. ${this.text.textContent}`);
  }
}
