// data: names (4), A (4 x 4, symmetric, no loops), values (4)
const C = data.names.length, values = data.values.slice(), A = data.A.map((r) => r.slice());
const place = [[60, 50], [220, 50], [220, 180], [60, 180]];
const STAGES = ["before", "after 1 layer", "after 2 layers"];

add(root, "p", { class: "heading" }, "A graph convolution on four nodes");
const panels = add(root, "div", { class: "panels" });
const left = add(panels, "div"), right = add(panels, "div");
const field = add(left, "svg", { viewBox: "0 0 280 232", role: "group", "aria-label": "The graph; nodes move by dragging, or by the arrow keys.", style: "touch-action: pan-y" });
const stages = add(left, "div", { class: "controls", role: "radiogroup", "aria-label": "values shown in the nodes" });
const radios = STAGES.map((text, k) => {
  const radio = control(stages, text, "input", { type: "radio", name: `${root.id}-stage`, value: k });
  radio.addEventListener("change", draw);
  return radio;
});
radios[0].checked = true;
const table = add(left, "table", {}), told = add(left, "output", { "aria-live": "polite", class: "told unseen" });
const sliders = add(right, "div", { role: "group", "aria-label": "weights of the edges" });
const loops = control(right, "each node also hears itself (A + I)", "input", { type: "checkbox" });
loops.checked = data.loops;
loops.addEventListener("change", draw);
const numbers = add(right, "div", { class: "controls", role: "group", "aria-label": "values of the nodes" });
const matrices = add(right, "div", { class: "controls", style: "align-items: flex-start" });

const edges = [];
for (let i = 0; i < C; i += 1) for (let j = i + 1; j < C; j += 1) {
  const slider = control(sliders, `${data.names[i]} – ${data.names[j]}`, "input", { type: "range", min: 0, max: 2, step: 0.1, value: A[i][j] });
  const shown = add(slider.parentNode, "output");
  slider.addEventListener("input", () => { A[i][j] = A[j][i] = Number(slider.value); draw(); });
  edges.push({ i, j, shown, line: add(field, "line", { stroke: "var(--quiet)", "stroke-linecap": "round" }), label: add(field, "text", { class: "quiet halo", "text-anchor": "middle" }) });
}
data.names.forEach((name, c) => {
  const input = control(numbers, `value of ${name}`, "input", { type: "number", step: 0.5, value: values[c] });
  input.addEventListener("input", () => { values[c] = Number(input.value) || 0; draw(); });
});

const nodes = data.names.map((name, c) => {
  const g = add(field, "g", { tabindex: 0, role: "button", style: "cursor: grab; touch-action: none" });
  add(g, "circle", { r: 27, fill: "var(--paper)" });
  const node = { g, disc: add(g, "circle", { r: 27, stroke: "var(--ink)", "stroke-width": 1.5 }) };
  node.words = add(field, "g", { "aria-hidden": "true", "pointer-events": "none" }); // the button's label says it too
  add(node.words, "text", { class: "halo", y: -4, "text-anchor": "middle", style: "font-weight: 700" }, name);
  node.value = add(node.words, "text", { class: "halo", y: 13, "text-anchor": "middle" });
  const move = (x, y) => { place[c] = [Math.min(250, Math.max(30, x)), Math.min(202, Math.max(30, y))]; draw(); };
  g.addEventListener("pointerdown", (event) => { g.setPointerCapture(event.pointerId); event.preventDefault(); g.focus(); });
  g.addEventListener("pointermove", (event) => {
    if (!g.hasPointerCapture(event.pointerId)) return;
    const box = field.getBoundingClientRect();
    move(((event.clientX - box.left) * 280) / box.width, ((event.clientY - box.top) * 232) / box.height);
  });
  const steps = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };
  g.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    move(place[c][0] + step[0], place[c][1] + step[1]);
  });
  return node;
});

function matrix(title, M, digits) {
  const t = add(matrices, "table");
  add(t, "caption").innerHTML = title;
  const head = add(t, "tr");
  add(head, "td");
  data.names.forEach((name) => add(head, "th", { scope: "col" }, name));
  M.forEach((r, i) => {
    const line = add(t, "tr");
    add(line, "th", { scope: "row" }, data.names[i]);
    r.forEach((v) => add(line, "td", {}, fixed(v, digits)));
  });
}

/** LReLU with slope 0.2 of N h: equation 2 with one channel and W = 1. */
function layer(N, h) {
  return N.map((r) => r.reduce((sum, w, j) => sum + w * h[j], 0)).map((v) => (v < 0 ? 0.2 * v : v));
}

function draw() {
  const full = A.map((r, i) => r.map((w, j) => (i === j && loops.checked ? 1 : w)));
  const degree = full.map((r) => r.reduce((sum, w) => sum + w, 0));
  const N = full.map((r, i) => r.map((w, j) => (w ? w / Math.sqrt(degree[i] * degree[j]) : 0)));
  const one = layer(N, values), all = [values, one, layer(N, one)];
  const stage = radios.findIndex((radio) => radio.checked), shown = all[stage];
  const largest = Math.max(...values.map(Math.abs), 1e-12);
  for (const { i, j, shown: output, line, label } of edges) {
    const w = A[i][j], [[x1, y1], [x2, y2]] = [place[i], place[j]];
    output.textContent = fixed(w, 1);
    set(line, { x1, y1, x2, y2, "stroke-width": 3 * w, opacity: w ? 0.7 : 0 });
    // a third of the way, so that the labels of two crossing edges stay apart
    set(label, { x: x1 + (x2 - x1) * 0.36, y: y1 + (y2 - y1) * 0.36 + 4 }).textContent = w ? fixed(w, 1) : "";
  }
  nodes.forEach(({ g, disc, words, value }, c) => {
    set(words, { transform: `translate(${place[c]})` });
    set(g, { transform: `translate(${place[c]})`, "aria-label": `node ${data.names[c]}, value ${fixed(shown[c], 3)}; arrow keys move it` });
    set(disc, { fill: shown[c] < 0 ? "var(--one)" : "var(--two)", "fill-opacity": 0.75 * Math.min(1, Math.abs(shown[c]) / largest) });
    value.textContent = fixed(shown[c], 2);
  });
  matrices.replaceChildren();
  const sum = loops.checked ? "A + I" : "A", half = "D<sup>−1/2</sup>";
  matrix(sum, full, 1);
  matrix(`N = ${half} ${loops.checked ? `(${sum})` : sum} ${half}`, N, 3);
  table.replaceChildren();
  add(table, "caption", {}, "the nodes' values; one layer is LReLU(N h)");
  const head = add(table, "tr");
  ["node", ...STAGES].forEach((text) => add(head, "th", { scope: "col" }, text));
  data.names.forEach((name, c) => {
    const line = add(table, "tr");
    add(line, "th", { scope: "row" }, name);
    all.forEach((h) => add(line, "td", {}, fixed(h[c], 3)));
  });
  told.textContent = `${STAGES[stage]}: ${data.names.map((name, c) => `node ${name} is ${fixed(shown[c], 2)}`).join(", ")}`;
}
draw();
