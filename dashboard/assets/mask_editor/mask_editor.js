// The editor of masks: drawing of rectangles and polygons on a picture of a camera.
//
// Points are fractions of the picture, as in common/masks.py. Nothing is stored here: a finished shape is
// reported, and the page shows it as a mask from then on.

const SVG = "http://www.w3.org/2000/svg";
const DRAG_PX = 6; // A shorter movement is a click.
const CLOSE_PX = 12; // A click this close to the first corner closes the shape.
const STEP = 0.01;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const START = "Click the corners one after the other, or drag to draw a rectangle.";

const editors = new WeakMap();

// Streamlit calls this whenever `data` changes, with the same element.
export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".editor");
  if (!editors.has(root)) editors.set(root, new Editor(root));
  editors.get(root).update(data, (shape) => setTriggerValue("shape", shape));
}

class Editor {
  constructor(root) {
    this.root = root;
    this.picture = root.querySelector("svg");
    this.text = root.querySelector(".state");
    this.corners = [];
    this.cursor = null; // The point that arrow keys move.
    this.pressed = null;
    this.rectangle = null;
    this.drawn = "";
    const act = (name, action) => {
      const button = root.querySelector(`[data-act="${name}"]`);
      button.addEventListener("click", action);
      return button;
    };
    this.undoButton = act("undo", () => this.undo());
    this.closeButton = act("close", () => this.close());
    this.discardButton = act("discard", () => this.discard());
    this.picture.addEventListener("pointerdown", (event) => this.press(event));
    this.picture.addEventListener("pointermove", (event) => this.move(event));
    this.picture.addEventListener("pointerup", (event) => this.release(event));
    this.picture.addEventListener("pointercancel", () => this.forgetPointer());
    this.picture.addEventListener("keydown", (event) => this.type(event));
  }

  update(data, report) {
    this.report = report;
    this.most = data.most_points;
    this.picture.setAttribute("aria-label", data.alt);
    this.picture.style.aspectRatio = data.aspect;
    this.picture.querySelector("image").setAttribute("href", data.url);
    const drawn = JSON.stringify(data.masks);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.corners = [];
      const masks = data.masks.map(({ points, saved }) =>
        shape("polygon", saved ? "mask" : "mask new", points));
      this.picture.querySelector(".masks").replaceChildren(...masks);
    }
    this.draw();
  }

  press(event) {
    if (event.button !== 0) return;
    this.picture.focus({ preventScroll: true });
    this.pressed = { point: this.pointOf(event), x: event.clientX, y: event.clientY };
    // A finger that moves scrolls the page, so it sets corners only.
    if (event.pointerType !== "touch") this.picture.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    const point = this.pointOf(event);
    if (this.pressed && event.pointerType !== "touch" && !this.corners.length) {
      const far = Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) >= DRAG_PX;
      if (far || this.rectangle) this.rectangle = corners(this.pressed.point, point);
    }
    this.draw(point);
  }

  release(event) {
    if (!this.pressed) return;
    const rectangle = this.rectangle;
    this.forgetPointer();
    if (rectangle) {
      this.corners = rectangle;
      this.close();
      this.draw();
    } else this.add(this.pointOf(event));
  }

  forgetPointer() {
    this.pressed = this.rectangle = null;
    this.draw();
  }

  add(point) {
    if (this.corners.length > 2 && this.distance(point, this.corners[0]) <= CLOSE_PX) {
      this.close();
      return;
    }
    const last = this.corners.at(-1);
    if (this.corners.length < this.most && !(last && this.distance(point, last) < 2)) this.corners.push(point);
    this.draw();
  }

  undo() {
    this.corners.pop();
    this.draw();
  }

  close() {
    // The corners stay until the page has the mask: it may refuse a shape whose sides cross.
    if (this.corners.length > 2) this.report(this.corners);
  }

  discard() {
    this.corners = [];
    this.forgetPointer();
  }

  type(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? 5 * STEP : STEP;
      const from = this.cursor ?? [0.5, 0.5];
      this.cursor = from.map((each, axis) => clamp(each + step * arrow[axis]));
      this.draw();
    } else if (event.key === " " && this.cursor) this.add(this.cursor);
    else if (event.key === "Enter") this.close();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Escape") this.discard();
    else return;
    event.preventDefault();
  }

  draw(pointer = null) {
    const line = pointer && this.corners.length ? [...this.corners, pointer] : this.corners;
    this.picture.querySelector(".draft").replaceChildren(
      ...(this.rectangle ? [shape("polygon", "area", this.rectangle)] : []),
      ...(line.length > 2 ? [shape("polygon", "area open", line)] : []),
      shape("polyline", "side", line),
      ...this.corners.map(([x, y]) => dot("corner", x, y)),
      ...(this.cursor ? [dot("cursor", ...this.cursor)] : []),
    );
    const number = this.corners.length;
    this.undoButton.disabled = this.discardButton.disabled = number === 0;
    this.closeButton.disabled = number < 3;
    this.text.textContent = number === 0 ? START
      : number < 3 ? `${number} of at least 3 corners.`
      : number < this.most ? `${number} corners. Click the first one to close the shape.`
      : `${number} corners, the most: close the shape.`;
  }

  pointOf(event) {
    const box = this.picture.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  distance([x1, y1], [x2, y2]) {
    const box = this.picture.getBoundingClientRect();
    return Math.hypot((x1 - x2) * box.width, (y1 - y2) * box.height);
  }
}

function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}

function corners([x1, y1], [x2, y2]) {
  return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
}

function shape(tag, name, points) {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("class", name);
  element.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  return element;
}

// A line without a length has round ends of the width of its stroke, which does not depend on the scale.
function dot(name, x, y) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", name);
  element.setAttribute("d", `M${x} ${y}h0`);
  return element;
}
