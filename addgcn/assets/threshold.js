// data: name, scores (logits, float32), targets (1 or not), AP in percent
const scores = data.scores.map(Math.fround);
const positives = data.targets.filter((t) => t === 1).length;

/** Percent, from the decisions s > cut; the same operations in the same order as addgcn.metrics. */
function measure(cut) {
  let yes = 0, hits = 0;
  scores.forEach((s, n) => {
    if (s > cut) { yes += 1; hits += data.targets[n] === 1 ? 1 : 0; }
  });
  const P = hits / Math.max(yes, 1), R = hits / positives;
  return { yes, hits, P: 100 * P, R: 100 * R, F1: 100 * (P + R ? (2 * P * R) / (P + R) : 0) };
}

add(root, "p", { class: "heading" }, `${data.name}: from scores to decisions`);
const slider = control(add(root, "div", { class: "controls" }), "threshold", "input", { type: "range", min: 1, max: 99, value: 50 });
const shown = add(slider.parentNode, "output");
const told = add(root, "output", { "aria-live": "polite", class: "told" });
const panels = add(root, "div", { class: "panels" });

// left: how many images score how much; those with the category above the line, those without below it
const [W, H, L, T, S] = [290, 240, 32, 20, 178]; // size; left, top, side of the field
const bins = [new Array(20).fill(0), new Array(20).fill(0)];
scores.forEach((s, n) => { bins[data.targets[n] === 1 ? 0 : 1][Math.min(19, Math.floor(20 / (1 + Math.exp(-s))))] += 1; });
const words = `How often each score occurs: ${positives} images with ${data.name} above the line, ${scores.length - positives} without below it.`;
const left = add(panels, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words });
const width = (W - L - 10) / 20, middle = T + S / 2;
bins.forEach((counts, k) => counts.forEach((count, b) => {
  const height = (count / Math.max(...counts)) * (S / 2 - 14) || 0;
  add(left, "rect", { class: k ? "two" : "one", x: L + b * width + 1, width: width - 2, y: k ? middle : middle - height, height });
}));
const veil = add(left, "rect", { class: "veil", x: L, y: T, height: S });
const cutline = add(left, "line", { class: "mark", y1: T, y2: T + S });
add(left, "line", { class: "axis", x1: L, x2: W - 10, y1: middle, y2: middle });
add(left, "text", { x: L, y: T - 6 }, `with it (${positives})`);
add(left, "text", { x: L, y: T + S }, `without (${scores.length - positives})`);
for (const x of [0, 0.5, 1]) add(left, "text", { class: "quiet", x: L + x * 20 * width, y: H - 22, "text-anchor": "middle" }, `${x}`);
add(left, "text", { class: "quiet", x: L + 10 * width, y: H - 6, "text-anchor": "middle" }, "score after the sigmoid");

// right: precision over recall
const curve = add(panels, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Precision over recall of ${data.name}; average precision ${fixed(data.AP, 1)} percent.` });
const side = W - L - 14, at = (r, p) => [L + r * side, T + (1 - p) * S];
add(curve, "path", { class: "axis", d: `M${at(0, 1)}V${T + S}H${L + side}` });
for (const v of [0, 0.5, 1]) {
  add(curve, "text", { class: "quiet", x: at(v, 0)[0], y: H - 22, "text-anchor": "middle" }, `${100 * v}`);
  add(curve, "text", { class: "quiet", x: L - 5, y: at(0, v)[1] + 4, "text-anchor": "end" }, `${100 * v}`);
}
add(curve, "text", { class: "quiet", x: L + side / 2, y: H - 6, "text-anchor": "middle" }, "recall in %");
add(curve, "text", { class: "quiet", x: L + 6, y: T - 8 }, `precision in %; AP ${fixed(data.AP, 1)}`);
let yes = 0, hits = 0;
const points = [], ranked = scores.map((s, n) => [s, data.targets[n] === 1]).sort((a, b) => b[0] - a[0]);
ranked.forEach(([s, there], n) => {
  yes += 1; hits += there ? 1 : 0;
  if (n + 1 === ranked.length || ranked[n + 1][0] !== s) points.push(at(hits / positives, hits / yes).join());
});
add(curve, "polyline", { class: "line", points: points.join(" ") });
const point = add(curve, "circle", { class: "two", r: 7 });

function draw() {
  const t = slider.value / 100, m = measure(Math.fround(Math.log(t / (1 - t))));
  shown.textContent = fixed(t, 2);
  told.textContent = `precision ${fixed(m.P, 1)} %, recall ${fixed(m.R, 1)} %, F1 ${fixed(m.F1, 1)} %: ` +
    `${m.yes} predicted, ${m.hits} of them rightly; ${positives} are there.`;
  const x = L + t * 20 * width;
  set(veil, { width: x - L });
  set(cutline, { x1: x, x2: x });
  const [cx, cy] = at(m.R / 100, m.P / 100);
  set(point, { cx, cy });
}
slider.addEventListener("input", draw);
draw();
