// What happens to the book's document in the browser that prints it (tools/pdf.py).

// Formulas become pictures that say their TeX, for what MathJax draws otherwise has no place among a PDF's tags.
// MathJax measures in `ex`, so that a picture is as large as the letters around it.
function drawFormulas(mark) {
  const problems = [];
  for (const element of document.querySelectorAll(".math")) {
    const tex = element.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "");
    const number = tex.match(/\\tag\{(.+?)\}/);
    const drawing = MathJax.tex2svg(tex.replace(/\\tag\{.+?\}/, ""), { display: element.localName === "div" });
    const svg = drawing.querySelector("svg");
    if (svg.querySelector("[data-mml-node=merror]")) problems.push(`a formula that MathJax cannot read: ${tex}`);
    const image = new Image();
    image.className = "formula";
    image.alt = mark + tex.replace(/\s+/g, " ").trim();
    image.style.cssText = `width: ${svg.getAttribute("width")}; height: ${svg.getAttribute("height")}; ${svg.style.cssText}`;
    image.src = "data:image/svg+xml," + encodeURIComponent(new XMLSerializer().serializeToString(svg));
    element.replaceChildren(image);
    if (number) element.insertAdjacentHTML("beforeend", `<span>(${number[1]})</span>`);
  }
  return problems;
}

// A figure with a script becomes the picture of what it shows at first.
function freeze(element, source) {
  const image = new Image(element.clientWidth);
  image.src = source;
  image.alt = element.dataset.alt;
  element.replaceWith(image);
}

// What would be cut off or is not there.
async function lookAround() {
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  const problems = [];
  for (const image of document.images) {
    if (!image.naturalWidth) problems.push(`an image that shows nothing: ${image.alt || image.src}`);
  }
  for (const element of document.querySelectorAll("pre, table, img, .math, dt, p")) {
    const over = Math.max(element.getBoundingClientRect().right, element.getBoundingClientRect().left + element.scrollWidth) - innerWidth;
    if (over > 1 && element.scrollWidth) {
      problems.push(`wider than the page by ${Math.round(over)} pixels: ${element.localName} ${element.textContent.trim().slice(0, 60)}`);
    }
  }
  return problems;
}

function fillIn(numbers) {
  for (const link of document.querySelectorAll(".contents a")) {
    link.lastElementChild.textContent = numbers[decodeURIComponent(link.hash.slice(1))] ?? "";
  }
}
