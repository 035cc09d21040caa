import frame from "./ko/frame.js";
import inside from "./ko/inside.js";
import learn from "./ko/learn.js";
import runs from "./ko/runs.js";
import train from "./ko/train.js";
import attempt from "./ko/try.js";

export default { ...frame, ...runs, ...train, ...attempt, ...inside, ...learn };
