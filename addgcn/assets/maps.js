// data: classes, colours (a scale), images: [{uri, about, cells: [{uri, peak, where, score or null, there}]}]
add(root, "p", { class: "heading" }, "Where does the model see each category?");
const row = add(root, "div", { class: "controls" });
const image = control(row, "image", "select");
const category = control(row, "category", "select");
const opacity = control(row, "opacity of the map", "input", { type: "range", min: 0, max: 100, step: 5, value: 60 });
const percent = add(opacity.parentNode, "output");
const told = add(root, "output", { "aria-live": "polite", class: "told" });
const stack = add(root, "div", { class: "stack", style: "margin: 8px 0; max-width: 560px" });
const below = picture(stack, {}), over = picture(stack, { alt: "" }, "height: 100%; inset: 0; position: absolute;");
bar(root, data.colours, ["0", "activation", "1"]);

options(image, data.images.map((one, k) => [k, `${k + 1} of ${data.images.length}`]));

/** The categories of this image, the best first; the one that was looked at stays. */
function list() {
  const { cells } = data.images[image.value], before = category.value;
  const rank = (c) => (cells[c].score === null ? cells[c].peak : cells[c].score);
  const order = cells.map((_, c) => c).sort((a, b) => rank(b) - rank(a) || a - b);
  options(category, order.map((c) => [c, `${cells[c].there ? "✓ " : ""}${data.classes[c]} ${fixed(rank(c), 2)}`]));
  category.value = before === "" ? order[0] : before;
}

function draw() {
  const one = data.images[image.value], cell = one.cells[category.value], name = data.classes[category.value];
  set(below, { src: one.uri, alt: `Image ${Number(image.value) + 1}${one.about}, the map of ${name} over it.` });
  set(over, { src: cell.uri }).style.opacity = opacity.value / 100;
  percent.textContent = `${opacity.value} %`;
  told.textContent = `${name}: ` + (cell.score === null ? "" : `score ${fixed(cell.score, 2)}, `) +
    `the map peaks at ${fixed(cell.peak, 2)}, ${cell.where}.` + (cell.there ? " It is in the ground truth." : "");
}
image.addEventListener("change", () => { list(); draw(); });
category.addEventListener("change", draw);
opacity.addEventListener("input", draw);
list();
draw();
