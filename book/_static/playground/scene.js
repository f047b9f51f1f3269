// A scene and its pixels: a place and objects {name, x, y, scale, flip}, painted in their order. x and y are where
// the middle of an object's foot stands, as shares of the image; at scale 1 it has the size it has in training scenes.

export const CANVAS = 512, INPUT = 64; // pixels that are composed, and that the model sees
export const SMALLEST = 0.4, LARGEST = 2.5;

/** All pictures, loaded: {objects: {name: image}, places: {name: image}}. */
export async function loadPictures(about, base) {
  const load = async ([name, { file }]) => {
    const image = new Image();
    image.src = new URL(file, base);
    await image.decode();
    return [name, image];
  };
  const all = async (group) => Object.fromEntries(await Promise.all(Object.entries(group).map(load)));
  return { objects: await all(about.objects), places: await all(about.places) };
}

export class Scene {
  constructor(about, pictures) {
    this.about = about;
    this.pictures = pictures;
    this.place = Object.keys(about.places)[0];
    this.objects = [];
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = CANVAS;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.small = new ImageData(INPUT, INPUT);
    this.masks = new Map(); // of each object's picture: where it is not transparent
  }

  /** The scene as plain values, and the way back. */
  get plain() {
    return { place: this.place, objects: this.objects.map((o) => ({ ...o })) };
  }

  set plain({ place, objects }) {
    this.place = place;
    this.objects = objects.map(({ name, x, y, scale, flip }) => ({ name, x, y, scale, flip }));
  }

  /** Where an object is: left, top, width, height, as shares of the image. */
  box({ name, x, y, scale }) {
    const { width, height } = this.about.objects[name];
    return { left: x - (scale * width) / 2, top: y - scale * height, width: scale * width, height: scale * height };
  }

  add(name) {
    const k = this.objects.length; // not all in one spot
    this.objects.push({ name, x: 0.3 + 0.2 * (k % 3), y: 0.8 + 0.06 * (k % 4), scale: 1, flip: false });
  }

  /** Change an object within bounds: its foot's middle stays in the image, its size is one that can be seen. */
  change(k, values) {
    const clip = (value, low, high) => Math.min(high, Math.max(low, value));
    const o = Object.assign(this.objects[k], values);
    o.x = clip(o.x, 0, 1);
    o.y = clip(o.y, 0.1, 1.3);
    o.scale = clip(o.scale, SMALLEST, LARGEST);
  }

  /** Move an object up or down the stack; returns its new place. */
  restack(k, steps) {
    const to = Math.min(this.objects.length - 1, Math.max(0, k + steps));
    this.objects.splice(to, 0, ...this.objects.splice(k, 1));
    return to;
  }

  /** The topmost object at a point (shares of the image), or -1: by its picture, or near it by its box. */
  at(x, y) {
    const hits = (test) => this.objects.findLastIndex((o) => {
      const { left, top, width, height } = this.box(o), u = (x - left) / width, v = (y - top) / height;
      return u >= 0 && u < 1 && v >= 0 && v < 1 && test(o, o.flip ? 1 - u : u, v);
    });
    const exact = hits((o, u, v) => this.opaque(o.name, u, v));
    return exact >= 0 ? exact : hits(() => true);
  }

  opaque(name, u, v) {
    const image = this.pictures.objects[name], { naturalWidth: w, naturalHeight: h } = image;
    if (!this.masks.has(name)) {
      const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
      const pen = canvas.getContext("2d");
      pen.drawImage(image, 0, 0);
      this.masks.set(name, pen.getImageData(0, 0, w, h).data);
    }
    return this.masks.get(name)[4 * (Math.floor(v * h) * w + Math.floor(u * w)) + 3] > 100;
  }

  draw() {
    const { pen } = this;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.pictures.places[this.place], 0, 0, CANVAS, CANVAS);
    for (const o of this.objects) {
      const { left, top, width, height } = this.box(o);
      pen.save();
      pen.translate((left + width / 2) * CANVAS, top * CANVAS);
      pen.scale(o.flip ? -1 : 1, 1);
      pen.drawImage(this.pictures.objects[o.name], (-width / 2) * CANVAS, 0, width * CANVAS, height * CANVAS);
      pen.restore();
    }
  }

  /** What the model sees: the mean of every block of 8 x 8 pixels, as 64 x 64 RGBA; halves are rounded up. */
  pixels() {
    const k = CANVAS / INPUT, fine = this.pen.getImageData(0, 0, CANVAS, CANVAS).data, sums = new Uint32Array(INPUT * INPUT * 4);
    for (let y = 0, p = 0; y < CANVAS; y++) {
      const row = Math.floor(y / k) * INPUT;
      for (let x = 0; x < CANVAS; x++, p += 4) {
        const q = 4 * (row + Math.floor(x / k));
        sums[q] += fine[p];
        sums[q + 1] += fine[p + 1];
        sums[q + 2] += fine[p + 2];
        sums[q + 3] += fine[p + 3];
      }
    }
    sums.forEach((sum, q) => { this.small.data[q] = Math.floor(sum / (k * k) + 0.5); });
    return this.small;
  }
}
