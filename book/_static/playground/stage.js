// The stage: the scene on a canvas, and over it a button for each object, which keys move. Pointers (mouse, pen, one
// finger or two) take the object whose picture is under them.

import { CANVAS } from "./scene.js";
import { element } from "./dom.js";

const STEP = 0.02, KEYS = {
  ArrowLeft: (o, d) => ({ x: o.x - d }), ArrowRight: (o, d) => ({ x: o.x + d }),
  ArrowUp: (o, d) => ({ y: o.y - d }), ArrowDown: (o, d) => ({ y: o.y + d }),
  "+": (o) => ({ scale: o.scale * 1.1 }), "=": (o) => ({ scale: o.scale * 1.1 }), "-": (o) => ({ scale: o.scale / 1.1 }),
  f: (o) => ({ flip: !o.flip }), F: (o) => ({ flip: !o.flip }),
};

export class Stage {
  /** `changed()` is called after every change of the scene, `chosen()` when another object is selected. */
  constructor(scene, changed, chosen) {
    Object.assign(this, { scene, changed, chosen, selected: -1, fingers: new Map() });
    this.node = element("div", { class: "pg-stage" });
    this.view = element("canvas", { width: CANVAS, height: CANVAS, role: "img" });
    this.pen = this.view.getContext("2d");
    this.handles = element("div", { class: "pg-handles", role: "group", "aria-label": "Objects in the scene, from the back to the front" });
    this.node.append(this.view, this.handles);
    this.node.addEventListener("pointerdown", (event) => this.press(event));
    this.node.addEventListener("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"]) this.node.addEventListener(kind, (event) => this.fingers.delete(event.pointerId));
    // A finger on an object moves the object, any other finger the page.
    this.node.addEventListener("touchstart", (event) => {
      if (this.fingers.size || this.hit(event.touches[0]) >= 0) event.preventDefault();
    }, { passive: false });
  }

  get object() {
    return this.scene.objects[this.selected];
  }

  point({ clientX, clientY }) {
    const box = this.view.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  hit(event) {
    const { x, y } = this.point(event);
    return this.scene.at(x, y);
  }

  press(event) {
    if (this.fingers.size === 0) {
      const k = this.hit(event);
      this.select(k, k >= 0);
      if (k < 0) return;
    }
    if (!this.object) return;
    event.preventDefault();
    this.node.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.point(event));
  }

  drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before || !this.object) return;
    const now = this.point(event), others = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
    this.fingers.set(event.pointerId, now);
    const { x, y, scale } = this.object;
    if (others.length) { // two fingers: their distance is the size
      const far = (p) => Math.hypot(p.x - others[0].x, p.y - others[0].y);
      this.change({ scale: (scale * far(now)) / Math.max(far(before), 0.02) });
    } else {
      this.change({ x: x + now.x - before.x, y: y + now.y - before.y });
    }
  }

  key(event, k) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    this.selected = k;
    if (event.key in KEYS) this.change(KEYS[event.key](this.object, event.shiftKey ? 4 * STEP : STEP));
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else if (event.key === "[" || event.key === "]") this.restack(event.key === "]" ? 1 : -1);
    else return;
    event.preventDefault();
  }

  /** Change the selected object. */
  change(values) {
    if (!this.object) return;
    this.scene.change(this.selected, values);
    this.changed();
  }

  restack(steps) {
    if (!this.object) return;
    this.selected = this.scene.restack(this.selected, steps);
    this.changed();
    this.handles.children[this.selected].focus({ preventScroll: true });
  }

  remove() {
    if (!this.object) return;
    this.scene.objects.splice(this.selected, 1);
    const next = Math.min(this.selected, this.scene.objects.length - 1);
    this.changed();
    this.select(next, true);
  }

  select(k, focus = false) {
    this.selected = k;
    this.mark();
    if (focus) this.handles.children[k]?.focus({ preventScroll: true });
    this.chosen();
  }

  /** Show the scene as it is now. */
  draw() {
    this.scene.draw();
    this.pen.drawImage(this.scene.canvas, 0, 0);
    const { objects, place } = this.scene, named = objects.map(({ name }) => name).join(", ");
    this.view.setAttribute("aria-label", `The scene: ${place}, with ${named || "nothing in it"}.`);
    while (this.handles.children.length > objects.length) this.handles.lastChild.remove();
    while (this.handles.children.length < objects.length) this.handles.append(this.handle(this.handles.children.length));
    objects.forEach((o, k) => {
      const handle = this.handles.children[k], { left, top, width, height } = this.scene.box(o), share = (v) => `${100 * v}%`;
      Object.assign(handle.style, { left: share(left), top: share(top), width: share(width), height: share(height) });
      const percent = (v) => `${Math.round(100 * v)} %`;
      handle.setAttribute("aria-label", `${o.name}, ${percent(o.x)} from the left, foot ${percent(o.y)} from the top, size ${o.scale.toFixed(2)}${o.flip ? ", flipped" : ""}`);
    });
    if (this.selected >= objects.length) this.selected = -1;
    this.mark();
  }

  handle(k) {
    const handle = element("button", { type: "button", class: "pg-handle", "aria-describedby": "pg-keys" });
    handle.addEventListener("focus", () => { this.selected = k; this.mark(); this.chosen(); });
    handle.addEventListener("keydown", (event) => this.key(event, k));
    return handle;
  }

  mark() {
    [...this.handles.children].forEach((handle, k) => handle.classList.toggle("pg-selected", k === this.selected));
  }
}
