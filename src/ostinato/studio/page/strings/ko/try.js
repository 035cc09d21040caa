export default {
  "try.title": "사용해 보기",
};
