// The views, in the order of the navigation. A view is a module in views/ that exports
//   title   key of its name in the strings
//   route   first part of its address: #/route/...
//   render  component; its props are `parts`, what follows in the address, and `query`
import * as runs from "./views/runs.js";
import * as train from "./views/train.js";
import * as attempt from "./views/try.js";
import * as inside from "./views/inside.js";
import * as learn from "./views/learn.js";

export const VIEWS = [runs, train, attempt, inside, learn];
