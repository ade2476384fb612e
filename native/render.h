// Soft silhouettes of triangles, lists of the fragments behind them, and exact z-buffers.
#pragma once

#include <cstdint>

namespace algonets {

// Laws by number: Logistic, Gaussian, Cauchy, Reciprocal, Optimal, Laplace, Uniform, CubicHermite, WignerSemicircle,
// Gudermannian, GumbelMax, GumbelMin, Exponential, ExponentialReversed, Gamma, GammaReversed, Levy, LevyReversed.
constexpr int kLaws = 18;

// T-conorms by number: Probabilistic, Einstein, Hamacher, Frank, Yager, AczelAlsina, Dombi, SchweizerSklar, Max.
constexpr int kFolds = 9;
constexpr int kMax = 8;

// Images (B, M): mesh m of batch b has the faces [ends[m], ends[m + 1]) of row b. NaN marks a face that is left out.
template <class C> struct Silhouette {
  const C* faces;             // (B, T, 3, 2)
  const C* scale;             // (B, M)
  const std::int64_t* ends;   // (M + 1)
  std::int64_t total, meshes, height, width;
  int law, fold;
  bool squared;
  double shape, shift, p, cut;
  C* value;                   // (B, M, H, W)
  C* sum;                     // (B, M, H, W): of the generators, or the maximum
};

// Rows of one image.
struct Rows {
  std::int64_t image, begin, end;
};

// Gradients are added to to_faces (faces of the image, 3, 2) and to_scale (1).
template <class C> struct RenderKernels {
  void (*forward)(const Silhouette<C>&, Rows);
  void (*backward)(const Silhouette<C>&, Rows, const C* incoming, C* to_faces, C* to_scale);
};

// The nearest face (or -1) of each pixel of one mesh, for faces (F, 3, 3).
struct ZBuffer {
  const double* faces;
  std::int64_t count, height, width;
  bool perspective;
  std::int64_t* nearest;      // (H, W)
};

#define ALGONETS_DECLARE(isa)                        \
  namespace isa {                                    \
  extern const RenderKernels<float> render_float;    \
  extern const RenderKernels<double> render_double;  \
  extern void (*const z_buffer)(const ZBuffer&);     \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
