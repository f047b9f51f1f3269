// Small helpers for making elements.

/** An element with attributes; `text` and children that follow are put in. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** A text with A_d set as in the book. */
export function named(text) {
  return text.split("A_d").flatMap((part, k) => (k ? [element("b", {}, "A"), element("sub", {}, "d"), part] : [part]));
}

export function button(text, act, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", act);
  return node;
}

/** A group of radio buttons: [value, text] each; calls `act(value)`. */
export function radios(legend, name, choices, value, act) {
  const group = element("fieldset", { class: "pg-radios" }, element("legend", {}, ...named(legend)));
  for (const [choice, text] of choices) {
    const input = element("input", { type: "radio", name, value: choice });
    input.checked = choice === value;
    input.addEventListener("change", () => act(choice));
    group.append(element("label", {}, input, text));
  }
  return group;
}

export const sigmoid = (s) => 1 / (1 + Math.exp(-s));

/** The colour of a share in [0, 1] on a scale of hexadecimal colours, between two of them in proportion. */
export function colour(scale, share) {
  const at = Math.min(1, Math.max(0, share)) * (scale.length - 1), k = Math.min(Math.floor(at), scale.length - 2);
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const [a, b] = [parts(scale[k]), parts(scale[k + 1])];
  return a.map((v, i) => Math.round(v + (at - k) * (b[i] - v)));
}
