export default {
  "train.title": "Train",
};
