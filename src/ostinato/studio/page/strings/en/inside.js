export default {
  "inside.title": "Inside",
};
