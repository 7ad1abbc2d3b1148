#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

namespace siftsearch::verify {

/// Least squares of rows · x = values by the normal equations, eliminated with pivoting; none where
/// they do not fix x.
template <std::size_t N>
class LeastSquares {
 public:
  void Add(const std::array<double, N>& row, double value, double weight = 1) {
    for (std::size_t i = 0; i < N; ++i) {
      for (std::size_t j = 0; j < N; ++j) matrix_[i][j] += weight * row[i] * row[j];
      matrix_[i][N] += weight * row[i] * value;
    }
  }

  std::optional<std::array<double, N>> Solve() {
    for (std::size_t i = 0; i < N; ++i) {
      std::size_t pivot = i;
      for (std::size_t j = i + 1; j < N; ++j) {
        if (std::abs(matrix_[j][i]) > std::abs(matrix_[pivot][i])) pivot = j;
      }
      if (!(std::abs(matrix_[pivot][i]) > 1e-9)) return std::nullopt;
      std::swap(matrix_[i], matrix_[pivot]);
      for (std::size_t j = 0; j < N; ++j) {
        if (j == i) continue;
        const double factor = matrix_[j][i] / matrix_[i][i];
        for (std::size_t k = i; k <= N; ++k) matrix_[j][k] -= factor * matrix_[i][k];
      }
    }
    std::array<double, N> solution;
    for (std::size_t i = 0; i < N; ++i) solution[i] = matrix_[i][N] / matrix_[i][i];
    return solution;
  }

 private:
  std::array<std::array<double, N + 1>, N> matrix_{};
};

}  // namespace siftsearch::verify
