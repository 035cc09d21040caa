import frame from "./en/frame.js";
import inside from "./en/inside.js";
import learn from "./en/learn.js";
import runs from "./en/runs.js";
import train from "./en/train.js";
import attempt from "./en/try.js";

export default { ...frame, ...runs, ...train, ...attempt, ...inside, ...learn };
