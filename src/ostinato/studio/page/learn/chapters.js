// The pages, in their order. Each is a module with `Lesson`, a component, loaded when somebody comes to it.
export const CHAPTERS = [
  { name: "unrolling", load: () => import("./unrolling.js") },
  { name: "vanishing", load: () => import("./vanishing.js") },
  { name: "clipping", load: () => import("./clipping.js") },
  { name: "gates", load: () => import("./gates.js") },
  { name: "truncation", load: () => import("./truncation.js") },
  { name: "topologies", load: () => import("./topologies.js") },
];
