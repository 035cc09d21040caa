export default {
  "inside.title": "속 들여다보기",
};
