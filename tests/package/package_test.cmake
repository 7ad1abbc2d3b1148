set(prefix ${WORK}/prefix)
set(user ${WORK}/user)
if(SANITIZE)
  set(flags -fsanitize=address,undefined)
endif()

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed)
# Moved, to show that nothing depends on the place.
file(RENAME ${WORK}/installed ${prefix})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/user -B ${user} -G Ninja
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${flags}
  -DEXPECTED_VERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${user})
run(${user}/user ${WORK}/user.db ${DATA}/pictures/scene1.jpg ${DATA}/pictures/scene2.jpg)

set(program ${prefix}/bin/siftsearch)
if(EXISTS ${program})
  execute_process(COMMAND ${program} --version OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  if(NOT output MATCHES "${VERSION}")
    message(FATAL_ERROR "${program} --version says '${output}', not ${VERSION}")
  endif()
endif()
