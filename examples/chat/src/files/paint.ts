/** Stands for a model that makes images: paints hills in colours that follow from the words. */

const WIDTH = 768;
const HEIGHT = 512;

/** Paints an image. The same words make the same image. */
export async function paint(words: string): Promise<File> {
  const next = numbersOf(words);
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d")!;
  const hue = Math.floor(next() * 360);
  const sky = context.createLinearGradient(0, 0, 0, HEIGHT);
  sky.addColorStop(0, `hsl(${hue} 55% 24%)`);
  sky.addColorStop(0.6, `hsl(${(hue + 40) % 360} 70% 66%)`);
  sky.addColorStop(1, `hsl(${(hue + 60) % 360} 85% 82%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = `hsl(${(hue + 50) % 360} 100% 90%)`;
  context.beginPath();
  context.arc(WIDTH * (0.2 + 0.6 * next()), HEIGHT * (0.25 + 0.2 * next()), 44, 0, 2 * Math.PI);
  context.fill();
  for (let layer = 0; layer < 4; layer++) {
    const base = HEIGHT * (0.5 + 0.13 * layer);
    const [a, b, c] = [next() * 6, next() * 6, 0.004 + next() * 0.006];
    context.fillStyle = `hsl(${(hue + 15 * layer) % 360} 40% ${40 - 8 * layer}%)`;
    context.beginPath();
    context.moveTo(0, HEIGHT);
    for (let x = 0; x <= WIDTH; x += 4) {
      context.lineTo(x, base + 34 * Math.sin(a + x * c) + 16 * Math.sin(b + x * c * 2.7));
    }
    context.lineTo(WIDTH, HEIGHT);
    context.fill();
  }
  const name = `${words.trim().replaceAll(/[/\\]/g, " ") || "image"}.png`;
  return new File([await canvas.convertToBlob({ type: "image/png" })], name, { type: "image/png" });
}

/** Numbers from 0 to 1 that follow from a text. */
function numbersOf(text: string): () => number {
  let state = [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) >>> 0, 7);
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
