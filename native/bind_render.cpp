// Python bindings of the renderer's kernels.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "bindings.h"
#include "parallel.h"
#include "render.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class C> const RenderKernels<C>& kernels();
template <> const RenderKernels<float>& kernels() { return ALGONETS_PICK(render_float); }
template <> const RenderKernels<double>& kernels() { return ALGONETS_PICK(render_double); }

// Python makes these arrays itself; a mistake there must not become a wild write.
void check(bool good) {
  if (!good) throw nb::value_error("render: the arrays must fit together");
}
template <class Array> bool has_shape(const Array& array, std::initializer_list<std::size_t> shape) {
  if (array.ndim() != shape.size()) return false;
  std::size_t i = 0;
  for (std::size_t n : shape)
    if (array.shape(i++) != n) return false;
  return true;
}

// How many threads the work is worth: a guess at the pixels in reach, some nanoseconds each.
template <class C> int worth(const Silhouette<C>& c, std::int64_t batch, int threads) {
  const double side = double(std::min(c.height, c.width)), all = double(c.height * c.width);
  const double scale = batch * c.meshes ? double(c.scale[0]) : 0;
  double reach = std::max(0.0, -c.cut * scale);
  if (c.squared) reach = std::sqrt(reach);
  const double pixels = std::min(all, (reach * side + 8) * (reach * side + 8));
  return int(std::max(1.0, std::min(double(threads), double(batch * c.total) * pixels * 2 / 1e6)));
}

struct Settings {
  std::int64_t height, width;
  int law, fold;
  bool squared;
  double shape, shift, p, cut;
};

template <class C>
Silhouette<C> assemble(const In1<C>& faces, const In1<C>& scale, const In1<std::int64_t>& ends, const Settings& s, const C* value, const C* sum) {
  check(faces.ndim() == 4 && faces.shape(2) == 3 && faces.shape(3) == 2 && ends.ndim() == 1 && ends.shape(0) >= 1);
  const std::size_t batch = faces.shape(0), total = faces.shape(1), meshes = ends.shape(0) - 1;
  check(has_shape(scale, {batch, meshes}) && s.height > 0 && s.width > 0);
  check(s.law >= 0 && s.law < kLaws && s.fold >= 0 && s.fold < kFolds);
  check(ends.data()[0] == 0 && ends.data()[meshes] == std::int64_t(total));
  for (std::size_t m = 0; m < meshes; ++m) check(ends.data()[m] <= ends.data()[m + 1]);
  return {faces.data(), scale.data(), ends.data(), std::int64_t(total), std::int64_t(meshes), s.height, s.width, s.law, s.fold,
          s.squared, s.shape, s.shift, s.p, s.cut, const_cast<C*>(value), const_cast<C*>(sum)};
}

template <class C>
void forward(In1<C> faces, In1<C> scale, In1<std::int64_t> ends, std::int64_t height, std::int64_t width, int law, int fold, bool squared,
             double shape, double shift, double p, double cut, Out<C> value, Out<C> sum, int threads) {
  const auto c = assemble<C>(faces, scale, ends, {height, width, law, fold, squared, shape, shift, p, cut}, value.data(), sum.data());
  const std::size_t batch = faces.shape(0), meshes = c.meshes, h = height, w = width;
  check(has_shape(value, {batch, meshes, h, w}) && has_shape(sum, {batch, meshes, h, w}));
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  threads = worth(c, batch, threads);
  const std::int64_t images = batch * meshes;
  // With few images each is cut into bands, more than there are threads, as the work is not spread evenly.
  const std::int64_t bands = threads == 1 || images >= 2 * threads ? 1 : std::min<std::int64_t>(height, 4 * threads);
  parallel_for(threads, threads, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t worker = lo; worker < hi; ++worker)
      for (std::int64_t unit = worker; unit < images * bands; unit += threads) {
        const std::int64_t band = unit % bands;
        kernel.forward(c, {unit / bands, height * band / bands, height * (band + 1) / bands});
      }
  });
}

template <class C>
void backward(In1<C> faces, In1<C> scale, In1<std::int64_t> ends, std::int64_t height, std::int64_t width, int law, int fold, bool squared,
              double shape, double shift, double p, double cut, In1<C> sum, In1<C> incoming, Out<C> to_faces, Out<C> to_scale, int threads) {
  const auto c = assemble<C>(faces, scale, ends, {height, width, law, fold, squared, shape, shift, p, cut}, nullptr, sum.data());
  const std::size_t batch = faces.shape(0), total = c.total, meshes = c.meshes, h = height, w = width;
  check(has_shape(incoming, {batch, meshes, h, w}) && has_shape(sum, {batch, meshes, h, w}));
  check(has_shape(to_faces, {batch, total, 3, 2}) && has_shape(to_scale, {batch, meshes}));
  const auto& kernel = kernels<C>();
  nb::gil_scoped_release release;
  threads = worth(c, batch, threads);
  const std::int64_t images = batch * meshes, numbers = batch * total * 6;
  std::fill(to_faces.data(), to_faces.data() + numbers, C(0));
  std::fill(to_scale.data(), to_scale.data() + images, C(0));
  const std::int64_t workers = threads, bands = workers == 1 || images >= 2 * workers ? 1 : std::min<std::int64_t>(height, 4 * workers);
  // Bands of one image write to the same faces: each thread has its own copy then.
  std::vector<C> copies(bands > 1 ? workers * (numbers + images) : 0, C(0));
  parallel_for(workers, threads, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t worker = lo; worker < hi; ++worker)
      for (std::int64_t unit = worker; unit < images * bands; unit += workers) {
        const std::int64_t image = unit / bands, band = unit % bands;
        C* own = copies.data() + worker * (numbers + images);
        C *faces_of = bands > 1 ? own : to_faces.data(), *scale_of = bands > 1 ? own + numbers : to_scale.data();
        const std::int64_t at = ((image / c.meshes) * c.total + c.ends[image % c.meshes]) * 6;
        kernel.backward(c, {image, height * band / bands, height * (band + 1) / bands}, incoming.data(), faces_of + at, scale_of + image);
      }
  });
  if (bands > 1)
    for (std::int64_t worker = 0; worker < workers; ++worker) {
      const C* own = copies.data() + worker * (numbers + images);
      for (std::int64_t i = 0; i < numbers; ++i) to_faces.data()[i] += own[i];
      for (std::int64_t i = 0; i < images; ++i) to_scale.data()[i] += own[numbers + i];
    }
}

void nearest_faces(In1<double> faces, In1<std::int64_t> ends, std::int64_t height, std::int64_t width, bool perspective, Out<std::int64_t> nearest, int threads) {
  check(faces.ndim() == 4 && faces.shape(2) == 3 && faces.shape(3) == 3 && ends.ndim() == 1 && ends.shape(0) >= 1);
  const std::size_t batch = faces.shape(0), total = faces.shape(1), meshes = ends.shape(0) - 1, h = height, w = width;
  check(has_shape(nearest, {batch, meshes, h, w}) && height > 0 && width > 0 && ends.data()[0] == 0 && ends.data()[meshes] == std::int64_t(total));
  for (std::size_t m = 0; m < meshes; ++m) check(ends.data()[m] <= ends.data()[m + 1]);
  const auto kernel = ALGONETS_PICK(z_buffer);
  const std::int64_t* end = ends.data();
  nb::gil_scoped_release release;
  const int worthy = int(std::max<double>(1, std::min<double>(threads, double(batch * total) * 100 / 1e6)));
  parallel_for(batch * meshes, worthy, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t image = lo; image < hi; ++image) {
      const std::int64_t b = image / meshes, m = image % meshes;
      const double* of = faces.data() + (b * std::int64_t(total) + end[m]) * 9;
      kernel({of, end[m + 1] - end[m], height, width, perspective, nearest.data() + image * height * width});
    }
  });
}

template <class C> void bind(nb::module_& m) {
  m.def("render_forward", forward<C>, nb::arg("faces").noconvert(), nb::arg("scale").noconvert(), nb::arg("ends").noconvert(), "height"_a,
        "width"_a, "law"_a, "fold"_a, "squared"_a, "shape"_a, "shift"_a, "p"_a, "cut"_a, nb::arg("value").noconvert(),
        nb::arg("sum").noconvert(), "threads"_a);
  m.def("render_backward", backward<C>, nb::arg("faces").noconvert(), nb::arg("scale").noconvert(), nb::arg("ends").noconvert(), "height"_a,
        "width"_a, "law"_a, "fold"_a, "squared"_a, "shape"_a, "shift"_a, "p"_a, "cut"_a, nb::arg("sum").noconvert(),
        nb::arg("incoming").noconvert(), nb::arg("to_faces").noconvert(), nb::arg("to_scale").noconvert(), "threads"_a);
}

}  // namespace

void bind_render(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
  m.def("render_nearest_faces", nearest_faces, nb::arg("faces").noconvert(), nb::arg("ends").noconvert(), "height"_a, "width"_a,
        "perspective"_a, nb::arg("nearest").noconvert(), "threads"_a);
}

}  // namespace algonets
