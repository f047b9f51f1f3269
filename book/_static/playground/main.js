// The playground. It loads the pictures, the runtime and the models, says how far it is, and then answers every change
// of the scene: the four models run, and scores, map and graph are drawn anew.

import { button, element, named, radios } from "./dom.js";
import { GraphView, HeatMap } from "./graphs.js";
import { Model } from "./model.js";
import { keepAll } from "./offline.js";
import { INPUT, Scene, loadPictures } from "./scene.js";
import { MapView, Scores } from "./scores.js";
import { Stage } from "./stage.js";

const HELP = "With keys: Tab goes from object to object; arrows move (with Shift further), + and − change the size, F flips, [ and ] "
  + "put it further back or in front, Delete removes it. With two fingers: their distance is the size.";

/** Build the playground in `box`, whose data-base names the folder of models and pictures. */
export async function start(box) {
  const base = new URL(box.dataset.base, document.baseURI), status = box.querySelector(".pg-status");
  const tell = (text) => { status.textContent = text; };
  const began = performance.now();
  try {
    tell("Loading: the pictures.");
    const about = await (await fetch(new URL("playground.json", base))).json();
    const scene = new Scene(about, await loadPictures(about, base)), model = new Model(about);
    await model.load(base, (how) => tell(`Loading: ${how}.`));
    const playground = new Playground(box, about, scene, model);
    playground.show("car-and-truck");
    await playground.idle();
    box.querySelector(".pg-pictures").hidden = true;
    box.querySelector(".pg-app").hidden = false;
    box.classList.add("pg-ready");
    tell(`Loaded in ${((performance.now() - began) / 1000).toFixed(1)} seconds.`);
    /** For tests and the curious. scene: read it, or set it to {place, objects}; set graph, swap, category;
     *  pixels(): what the model saw last, 64 x 64 x 4; results(): what it answered, see model.js; idle(): wait for it. */
    window.playground = playground.handle(keepAll(new URL(box.dataset.worker, document.baseURI), location.pathname));
  } catch (error) {
    tell(`The playground could not be started (${error.message}). Below are its pictures.`);
  }
}

class Playground {
  constructor(box, about, scene, model) {
    Object.assign(this, { about, scene, model, graph: "S-D", swap: "own", together: false, difference: false, category: 0, picked: false });
    const choose = (c) => { this.category = c; this.picked = true; this.redraw(); };
    this.stage = new Stage(scene, () => this.change(), () => this.tools());
    this.scores = new Scores(about, choose);
    this.map = new MapView(about);
    this.heat = new HeatMap(about, choose);
    this.net = new GraphView(about);
    this.told = element("p", { class: "pg-told", role: "status" });
    this.none = element("p", { class: "pg-note" });
    this.seen = element("canvas", { width: INPUT, height: INPUT, role: "img", "aria-label": "The scene in 64 by 64 pixels.", class: "pg-pixels" });
    const seen = element("section", { class: "pg-panel" }, element("h2", { class: "pg-title" }, "What the models see"), this.seen,
      element("p", { class: "pg-note" }, "The scene, averaged down to 64 by 64 pixels."));
    const left = element("div", { class: "pg-left" }, this.stage.node, this.told, this.toolbar(), this.shelf());
    const right = element("div", { class: "pg-right" }, this.settings(), this.scores.node);
    this.panels = element("div", { class: "pg-panels" }, this.map.node, seen, this.heat.node, this.net.node);
    const app = box.querySelector(".pg-app");
    app.replaceChildren(this.cases(), element("div", { class: "pg-main" }, left, right), this.none, this.panels);
    this.waiting = Promise.resolve();
  }

  cases() {
    const buttons = Object.entries(this.about.cases).map(([name, { title }]) => button(title, () => this.show(name)));
    return element("div", { class: "pg-bar", role: "group", "aria-label": "Scenes to begin with" }, element("span", {}, "The paper's figure 1:"), ...buttons);
  }

  toolbar() {
    const { stage } = this, tool = (text, label, act) => button(text, act, { "aria-label": label, title: label, class: "pg-tool" });
    this.tooled = [
      tool("−", "smaller", () => stage.change({ scale: stage.object.scale / 1.1 })),
      tool("+", "larger", () => stage.change({ scale: stage.object.scale * 1.1 })),
      tool("⇋", "flip", () => stage.change({ flip: !stage.object.flip })),
      tool("↓", "further back", () => stage.restack(-1)),
      tool("↑", "in front", () => stage.restack(1)),
      tool("✕", "remove", () => stage.remove()),
    ];
    this.held = element("span", { class: "pg-held" });
    const clear = button("empty the scene", () => { this.scene.objects = []; this.change(); });
    return element("div", { class: "pg-bar", role: "group", "aria-label": "The selected object" }, this.held, ...this.tooled, clear);
  }

  shelf() {
    const picture = (file) => element("img", { src: new URL(file, this.scene.pictures.places[this.scene.place].src.replace(/pictures\/.*/, "")), alt: "", draggable: "false" });
    const add = (name) => { this.scene.add(name); this.change(); this.stage.select(this.scene.objects.length - 1, true); };
    const objects = Object.entries(this.about.objects).map(([name, { file }]) => {
      const node = button("", () => add(name), { "aria-label": `add: ${name}`, title: name });
      node.append(picture(file));
      return node;
    });
    this.places = Object.entries(this.about.places).map(([name, { file }]) => {
      const node = button("", () => { this.scene.place = name; this.change(); }, { "aria-label": `place: ${name}`, title: name, "data-place": name });
      node.append(picture(file));
      return node;
    });
    return element("div", {},
      element("div", { class: "pg-shelf", role: "group", "aria-label": "Add an object" }, ...objects),
      element("div", { class: "pg-shelf pg-places", role: "group", "aria-label": "Choose the place" }, ...this.places),
      element("p", { class: "pg-note", id: "pg-keys" }, HELP));
  }

  settings() {
    const set = (key, run) => (value) => { this[key] = value; run ? this.change() : this.redraw(); };
    const together = element("input", { type: "checkbox" }), difference = element("input", { type: "checkbox" });
    together.addEventListener("change", () => { this.together = together.checked; this.redraw(); });
    difference.addEventListener("change", () => { this.difference = difference.checked; this.redraw(); });
    return element("div", { class: "pg-settings" },
      radios("Graph", "pg-graph", this.about.graphs.map((name) => [name, name]), this.graph, set("graph")),
      radios("A_d is", "pg-swap", [["own", "this image's"], ["mean", "the mean over images"], ["identity", "the identity"]], this.swap, set("swap", true)),
      element("label", {}, together, "all four side by side"),
      element("label", {}, difference, element("span", {}, ...named("show A_d less its mean"))));
  }

  show(name) {
    this.scene.plain = this.about.cases[name];
    this.stage.selected = -1;
    this.picked = false;
    this.change();
  }

  /** The scene or the exchange has changed: draw it, and let the models look at it as soon as they can. */
  change() {
    this.stage.draw();
    this.tools();
    this.stale = true;
    this.running ??= this.look();
  }

  async look() {
    while (this.stale) {
      this.stale = false;
      this.pixels = new ImageData(new Uint8ClampedArray(this.scene.pixels().data), INPUT, INPUT);
      this.seen.getContext("2d").putImageData(this.pixels, 0, 0);
      this.results = await this.model.run(this.pixels, this.swap);
      this.redraw();
      await new Promise((next) => setTimeout(next)); // let the browser paint
    }
    this.running = null;
  }

  async idle() {
    while (this.running) await this.running;
  }

  /** Draw what the models said. */
  redraw() {
    const { about, results, graph, scene } = this, g = about.graphs.indexOf(graph), A = results.used[graph];
    const there = new Set(scene.objects.map(({ name }) => name));
    if (!this.picked) this.category = results.scores[g].indexOf(Math.max(...results.scores[g]));
    const said = this.scores.draw(results.scores, graph, this.together, this.category, scene);
    clearTimeout(this.speech); // while an object is being dragged, say nothing
    this.speech = setTimeout(() => { this.told.textContent = said; }, 250);
    this.map.draw(results.maps[g][this.category], about.classes[this.category], scene);
    for (const { node } of [this.heat, this.net]) node.hidden = !A;
    this.none.textContent = A ? "" : `The model “${graph}” has no A_d: no heat map, no graph, and nothing to exchange.`;
    if (!A) return;
    const mean = this.difference ? about.means[about.dynamic.indexOf(graph)] : null;
    this.heat.draw(A, mean, this.category, there);
    this.net.draw(A, results.scores[g], this.category, there);
  }

  tools() {
    const { object } = this.stage;
    this.held.textContent = object ? object.name : "none chosen";
    for (const tool of this.tooled) tool.disabled = !object;
    for (const node of this.places) node.setAttribute("aria-pressed", String(node.dataset.place === this.scene.place));
  }

  handle(kept) {
    const self = this;
    return {
      about: self.about,
      kept, // a promise: whether the page will work without a network
      idle: () => self.idle(),
      pixels: () => Array.from(self.pixels.data),
      results: () => self.results,
      get scene() { return self.scene.plain; },
      set scene(plain) { self.scene.plain = plain; self.change(); },
      set graph(name) { self.graph = name; self.redraw(); },
      set swap(name) { self.swap = name; self.change(); },
      set category(name) { self.category = self.about.classes.indexOf(name); self.picked = true; self.redraw(); },
    };
  }
}
