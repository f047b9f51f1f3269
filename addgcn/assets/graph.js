// data: name, classes, A (float32), present (indices), heat (the matrix as an image), colours and ends
// (of its scale), first, photo or null
const A = data.A.map((r) => r.map(Math.fround)), C = A.length, there = new Set(data.present);
const MOST = 5;

add(root, "p", { class: "heading" }, `${data.name}: who listens to whom?`);
const pick = control(add(root, "div", { class: "controls" }), "category", "select");
options(pick, data.classes.map((name, c) => [c, (there.has(c) ? "✓ " : "") + name]));
pick.value = data.first;
const told = add(root, "output", { "aria-live": "polite", class: "told" });
const panels = add(root, "div", { class: "panels wide", style: "margin-top: 8px" });

// the matrix: a click chooses the row's category (the list does so by key)
const corner = C <= 25 ? 78 : 24, SIDE = 344 - corner, cell = SIDE / C;
const matrix = add(panels, "div"), field = add(matrix, "svg", { viewBox: "0 0 344 344", role: "img" });
add(field, "image", { href: data.heat, x: corner, y: corner, width: SIDE, height: SIDE, preserveAspectRatio: "none", style: "image-rendering: pixelated" });

/** A frame of one colour on a white ground, which shows on every colour of the scale. */
function frame(colour, size) {
  const g = add(field, "g", { fill: "none" });
  add(g, "rect", { ...size, stroke: "#fff", "stroke-width": 5 });
  add(g, "rect", { ...size, stroke: colour, "stroke-width": 2.5 });
  return g;
}
const across = frame("var(--one)", { x: corner, width: SIDE, height: cell });
const down = frame("var(--two)", { y: corner, width: cell, height: SIDE });
const short = (name) => (name.length > 13 ? `${name.slice(0, 12)}…` : name);
(C <= 25 ? data.classes : []).forEach((name, c) => {
  const middle = corner + (c + 0.5) * cell, style = `font-size: ${Math.min(11, 0.9 * cell)}px; font-weight: ${there.has(c) ? 700 : 400}`;
  add(field, "text", { x: corner - 4, y: middle + 4, "text-anchor": "end", style }, short(name));
  add(field, "text", { transform: `translate(${middle + 4}, ${corner - 4}) rotate(-90)`, style }, short(name));
});
if (C > 25) {
  add(field, "text", { class: "quiet", x: corner, y: corner - 6 }, "columns send");
  add(field, "text", { class: "quiet", transform: `translate(${corner - 6}, 340) rotate(-90)` }, "rows are updated");
}
field.addEventListener("click", (event) => {
  const box = field.getBoundingClientRect();
  const c = Math.floor(((event.clientY - box.top) * (344 / box.height) - corner) / cell);
  if (c >= 0 && c < C) { pick.value = c; draw(); }
});
bar(matrix, data.colours, [fixed(data.ends[0], 2), "weight", fixed(data.ends[1], 2)]);

// the graph around the chosen category
const side = add(panels, "div"), graph = add(side, "svg", { viewBox: "0 0 344 274", role: "img" });
if (data.photo) picture(side, { src: data.photo, alt: "The image that this graph belongs to." }, "border-radius: 4px; display: block; max-height: 170px; max-width: 100%");
const signs = [there.size ? "✓ and bold: present." : "", data.ends[0] < 0 ? "Dashed: negative." : "", "A click on a row chooses it."];
add(root, "p", { class: "quiet", style: "margin: 8px 0 0" }, signs.join(" "));

/** The strongest weights [other category, weight], one's own left out. */
function strongest(weights, own) {
  return weights.map((w, c) => [c, w]).filter(([c, w]) => c !== own && w !== 0)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || a[0] - b[0]).slice(0, MOST);
}

/** The senders' names at the left, or the receivers' at the right, and arrows under them to or from the centre. */
function fan(list, largest, left) {
  list.forEach(([c, w], k) => {
    const y = 44 + k * 50, share = Math.abs(w) / largest, outer = left ? 2 : 342, inner = left ? 128 : 216, bend = left ? 100 : 244;
    add(graph, "path", {
      d: `M${outer},${y}H${left ? 50 : 294}C${bend},${y} ${bend},${140} ${inner},${140}`, fill: "none", opacity: 0.35 + 0.65 * share,
      stroke: left ? "var(--one)" : "var(--two)", "stroke-width": 1 + 5 * share, "stroke-dasharray": w < 0 ? "5 4" : "none",
    });
    const style = `font-weight: ${there.has(c) ? 700 : 400}`, anchor = left ? "start" : "end";
    add(graph, "text", { class: "halo", x: outer, y: y - 6, "text-anchor": anchor, style }, `${data.classes[c]} ${fixed(w, 2)}`);
  });
}

function draw() {
  const i = Number(pick.value), row = strongest(A[i], i), column = strongest(A.map((r) => r[i]), i), own = A[i][i];
  set(across, { transform: `translate(0, ${corner + i * cell})` });
  set(down, { transform: `translate(${corner + i * cell}, 0)` });
  const largest = Math.max(...A.flatMap((r, a) => r.map((w, b) => (a === b ? 0 : Math.abs(w)))), 1e-12);
  graph.replaceChildren();
  add(graph, "text", { class: "quiet", x: 2, y: 14 }, "row: it listens to");
  add(graph, "text", { class: "quiet", x: 342, y: 14, "text-anchor": "end" }, "column: it is heard by");
  fan(row, largest, true);
  fan(column, largest, false);
  add(graph, "circle", { cx: 172, cy: 140, r: 44, fill: "var(--paper)", stroke: "var(--quiet)", "stroke-width": 2 });
  add(graph, "text", { x: 172, y: 138, "text-anchor": "middle", style: `font-weight: 700; font-size: ${data.classes[i].length > 12 ? 10 : 12}px` }, data.classes[i]);
  add(graph, "text", { class: "quiet", x: 172, y: 154, "text-anchor": "middle" }, `self ${fixed(own, 2)}`);
  const list = (pairs) => pairs.slice(0, 3).map(([c, w]) => `${data.classes[c]} (${fixed(w, 2)})`).join(", ") || "nobody";
  told.textContent = `${data.classes[i]} listens most to ${list(row)}; it is heard most by ${list(column)}. ` +
    `To itself it gives ${fixed(own, 2)}.`;
  set(field, { "aria-label": `Heat map of ${data.name}; the row and the column of ${data.classes[i]} are framed.` });
  set(graph, { "aria-label": `The strongest links of ${data.classes[i]}.` });
}
pick.addEventListener("change", draw);
draw();
