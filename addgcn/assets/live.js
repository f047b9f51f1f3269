// What every live figure begins with: its own element (the first with its id that no script has taken), and helpers.
const root = Array.from(document.querySelectorAll(`[id="${id}"]`)).find((e) => !e.dataset.live);
if (!root) return;
root.dataset.live = "yes";
root.replaceChildren();

const SVG = new Set(["svg", "g", "rect", "circle", "line", "path", "polyline", "image", "text", "title"]);

/** Append an element to `parent`; attributes by name. */
function add(parent, name, attributes = {}, text = "") {
  const e = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  set(e, attributes);
  if (text) e.textContent = text;
  parent.append(e);
  return e;
}

function set(e, attributes) {
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

/** A labelled control: the label holds the words and the control, so that no ids are needed. */
function control(parent, words, name, attributes = {}) {
  const label = add(parent, "label"), box = ["checkbox", "radio"].includes(attributes.type);
  const text = add(label, "span", {}, words), e = add(label, name, attributes);
  if (box) label.append(text); // after its box
  return e;
}

/** A picture, as it is: a page's own rules for images stay away from it. */
function picture(parent, attributes, style = "") {
  return add(parent, "img", { ...attributes, style: `background: none; filter: none; margin: 0; padding: 0; ${style}` });
}

function options(select, texts) {
  select.replaceChildren();
  for (const [value, text] of texts) add(select, "option", { value }, text);
}

/** A colour scale with words under it. */
function bar(parent, colours, words) {
  const scale = add(parent, "div", { style: "max-width: 260px" });
  add(scale, "div", { class: "bar", style: `background: linear-gradient(to right, ${colours.join()})` });
  const ends = add(scale, "div", { class: "ends quiet" });
  for (const text of words) add(ends, "span", {}, text);
}

/** x with d decimals as Python writes it: a tie goes to the even digit, and there is no minus before zero. */
function fixed(x, d) {
  let text = x.toFixed(d);
  const scaled = Math.abs(x) * 10 ** d;
  if (scaled % 1 === 0.5 && Number.isInteger(x * 2 ** (d + 1)))
    text = ((Math.sign(x) * 2 * Math.round(scaled / 2)) / 10 ** d).toFixed(d);
  return Number(text) === 0 ? text.replace("-", "") : text;
}
